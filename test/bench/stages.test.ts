import { expect, test } from 'vitest';
import { stageNames, stagesOf } from './stages.ts';
import type { CpuProfile } from './stages.ts';

/** A call tree written as [name, file, milliseconds, ...callees]. */
interface Call extends Readonly<[name: string, url: string, ms: number, ...callees: unknown[]]> {}

function profileOf(root: Call): CpuProfile {
  const nodes: { id: number; callFrame: { functionName: string; url: string }; children: number[] }[] = [];
  const samples: number[] = [];
  const timeDeltas: number[] = [];
  const add = ([functionName, url, ms, ...callees]: Call): number => {
    const node = { id: nodes.length + 1, callFrame: { functionName, url }, children: [] as number[] };
    nodes.push(node);
    samples.push(node.id);
    timeDeltas.push(ms * 1000);
    for (const callee of callees) node.children.push(add(callee as Call));
    return node.id;
  };
  add(root);
  return { nodes, samples, timeDeltas };
}

test('a sample counts for the innermost frame that belongs to a stage', () => {
  const stages = stagesOf(
    profileOf([
      '(root)',
      '',
      1,
      ['(idle)', '', 50],
      ['(garbage collector)', '', 3],
      [
        '#read',
        'file:///x/src/pipeline/table-worker.ts',
        2,
        ['inflate', 'file:///x/src/source/compression.ts', 4, ['processChunkSync', 'node:zlib', 30]],
        ['f0_', '', 8, ['text', 'file:///x/src/decode/avro-runtime.ts', 5]],
        [
          'page',
          'file:///x/src/parquet/page.ts',
          6,
          ['compress', 'file:///x/src/parquet/compress.ts', 1, ['processChunkSync', 'node:zlib', 20]],
        ],
      ],
      ['compileSourceTextModule', 'node:internal/modules/esm/utils', 7],
    ]),
  );
  expect(Object.fromEntries(stages)).toEqual({
    other: 1,
    idle: 50,
    'garbage collection': 3,
    pipeline: 2,
    decompress: 34,
    decode: 13,
    'encode: rest': 6,
    compress: 21,
    'start: modules': 7,
  });
});

test('every stage that a sample can have is shown', () => {
  expect(new Set(stageNames).size).toBe(stageNames.length);
});
