import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

/**
 * The stages of src in the order of the data flow, and for each the stages that it may import. Everybody may import `errors`,
 * `free`, `ports` and `version`. A new edge is a decision: it is made here, in the open.
 */
const stages: Readonly<Record<string, readonly string[]>> = {
  schema: [],
  columns: ['schema'],
  config: ['schema', 'columns'],
  io: ['config'],
  source: ['config'],
  registry: ['schema', 'config', 'io'],
  decode: ['schema', 'columns', 'config', 'source', 'registry'],
  parquet: ['schema', 'columns', 'config', 'io'],
  // Runs in worker threads: knows files and columns, never tables.
  pipeline: ['schema', 'columns', 'config', 'io', 'source', 'registry', 'decode', 'parquet'],
  iceberg: ['schema', 'columns', 'config', 'io', 'parquet'],
  commit: ['schema', 'columns', 'config', 'io', 'source', 'parquet', 'pipeline', 'iceberg'],
  // Puts the stages of one table together: it opens catalogs and reads schemas and specs, and commits by `commit` alone.
  ingest: [
    'schema',
    'columns',
    'config',
    'io',
    'source',
    'registry',
    'decode',
    'parquet',
    'pipeline',
    'iceberg',
    'commit',
  ],
  maintain: ['schema', 'columns', 'config', 'io', 'source', 'parquet', 'pipeline', 'iceberg', 'commit'],
  ops: [
    'schema',
    'config',
    'io',
    'source',
    'registry',
    'decode',
    'parquet',
    'pipeline',
    'commit',
    'maintain',
    'ingest',
  ],
};

const before = Object.keys(stages);

/** What stands over the stages. */
const tops: Readonly<Record<string, readonly string[]>> = {
  service: before,
  demo: [...before, 'service'],
  cli: [...before, 'service', 'demo'],
  main: ['cli'],
  errors: [],
  free: [],
  ports: [],
  version: [],
};

const allowed = { ...stages, ...tops };
const everywhere = ['errors', 'free', 'ports', 'version'];
const icebergUsers = ['commit', 'ingest', 'maintain', 'cli', 'service', 'demo', 'iceberg'];

/** Time, randomness and ids come through ports.ts, so that whole runs can be simulated from a seed. */
const nondeterminism =
  /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.now\b|\bhrtime\b|\bMath\.random\b|\brandomUUID\b|\brandomBytes\b|\brandomInt\b|\bgetRandomValues\b/;

const mostLines = 500;

const src = resolve(import.meta.dirname, '..', 'src');

interface Source {
  /** Path below src. */
  file: string;
  text: string;
}

function sources(): Source[] {
  return readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .sort()
    .map((file) => ({ file, text: readFileSync(join(src, file), 'utf8') }));
}

/** Folder of a file, or the file's own name at the top of src. */
function stageOf(file: string): string {
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : file.replace(/\.ts$/, '');
}

/** Files below src that a file imports: statically, dynamically, or as a worker's URL. */
function importsOf({ file, text }: Source): string[] {
  const specifiers = text.matchAll(/(?:\bfrom|\bimport|\bnew URL)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g);
  return [...specifiers].map(([, path]) => relative(src, resolve(src, dirname(file), path!)));
}

/** Each import of another stage that the table does not allow. */
function forbiddenImports(all: readonly Source[]): string[] {
  return all.flatMap((source) => {
    const from = stageOf(source.file);
    return importsOf(source)
      .filter((path) => path.endsWith('.ts') && !path.startsWith('..'))
      .filter(
        (path) =>
          stageOf(path) !== from &&
          !everywhere.includes(stageOf(path)) &&
          !(allowed[from] ?? []).includes(stageOf(path)),
      )
      .map((path) => `${source.file} imports ${path}`);
  });
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '');
}

function nondeterministic(all: readonly Source[]): string[] {
  return all.filter((s) => s.file !== 'ports.ts' && nondeterminism.test(withoutComments(s.text))).map((s) => s.file);
}

describe('architecture', () => {
  const all = sources();

  test('every folder of src is a stage of the table', () => {
    expect(all.map((s) => s.file).filter((file) => !(stageOf(file) in allowed))).toEqual([]);
  });

  test('the table keeps the order of the data flow, and only those who change tables know Iceberg', () => {
    for (const [stage, imports] of Object.entries(stages)) {
      for (const imported of imports)
        expect(before.indexOf(imported), `${stage} before ${imported}`).toBeLessThan(before.indexOf(stage));
    }
    const users = Object.keys(allowed).filter((stage) => allowed[stage]!.includes('iceberg'));
    expect(users.filter((stage) => !icebergUsers.includes(stage))).toEqual([]);
  });

  test('a stage imports only what the table allows', () => {
    expect(forbiddenImports(all)).toEqual([]);
  });

  test('time, randomness and ids come through ports', () => {
    expect(nondeterministic(all)).toEqual([]);
  });

  test(`no file is over ${mostLines} lines`, () => {
    expect(all.filter((s) => s.text.split('\n').length > mostLines).map((s) => s.file)).toEqual([]);
  });
});

describe('the checks themselves', () => {
  const check = (file: string, text: string): string[] => forbiddenImports([{ file, text }]);

  test('see imports of every kind', () => {
    expect(check('schema/types.ts', `import type { A } from '../columns/batch.ts'`)).toEqual([
      'schema/types.ts imports columns/batch.ts',
    ]);
    expect(check('decode/avro.ts', `export { a } from "../iceberg/metadata.ts"`)).toHaveLength(1);
    expect(check('pipeline/worker.ts', `const c = await import('../commit/commit.ts')`)).toHaveLength(1);
    expect(check('pipeline/pool.ts', `new Worker(new URL('../cli/run.ts', import.meta.url))`)).toHaveLength(1);
    expect(check('ops/health.ts', `import '../service.ts'`)).toHaveLength(1);
  });

  test('let the allowed ones pass', () => {
    const text = `import { a } from '../errors.ts'\nimport { b } from './other.ts'\nimport { c } from '../iceberg/catalog.ts'\nimport fs from 'node:fs'`;
    expect(check('commit/commit.ts', text)).toEqual([]);
  });

  test('see nondeterminism in code, not in comments', () => {
    expect(nondeterministic([{ file: 'io/s3.ts', text: 'const t = Date.now()' }])).toEqual(['io/s3.ts']);
    expect(nondeterministic([{ file: 'io/s3.ts', text: 'const t = new Date( )' }])).toEqual(['io/s3.ts']);
    expect(
      nondeterministic([
        { file: 'io/s3.ts', text: '/** not Date.now() */ const u = new URL("http://x") // new Date()' },
      ]),
    ).toEqual([]);
  });
});
