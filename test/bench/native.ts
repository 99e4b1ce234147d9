import { deepStrictEqual } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import type { ByteSink } from '../../src/parquet/parquet.ts';
import { createParquetWriter } from '../../src/parquet/writer.ts';
import { dirOf, install } from '../real/parts.ts';
import { writeBaseline } from './baselines.ts';
import { spreadOf } from './figures.ts';
import { machine, versions } from './machine.ts';
import { columnsOf, shapes } from './native-columns.ts';
import type { Columns, Shape } from './native-columns.ts';

export interface NativeOptions {
  readonly shapes: readonly Shape[];
  /** Rows of the shape `events`; the others have fewer, for about the same work. */
  readonly rows: number;
  readonly rounds: number;
  readonly say: (line: string) => void;
}

/** One round of one side. */
export interface NativeRun {
  readonly cpuSeconds: number;
  readonly bytes: number;
}

export interface NativeResult {
  readonly shape: Shape;
  readonly rows: number;
  readonly rowGroups: number;
  readonly arrow: string;
  readonly ours: readonly NativeRun[];
  /** As Arrow writes files where nothing is said. */
  readonly theirs: readonly NativeRun[];
  /** With page checksums and page indexes, which our files have. */
  readonly alike: readonly NativeRun[];
  readonly sizeRatio: number;
}

/** Rows of a shape by rows of `events`. */
const SHARE: Readonly<Record<Shape, number>> = { events: 1, hundred: 0.1, strings: 0.25, lists: 0.5 };

/**
 * The scenario `native`: the same columns encoded by our encoder and by Arrow C++ (pyarrow, one thread), by turns in the
 * same processes, after one round of each that does not count. Both take zstd level 1 and row groups of as many rows. Arrow
 * writes them twice: as it does where nothing is said, and with the page checksums and indexes that our files have.
 * CPU seconds are those of the whole process, so ours include garbage collection and compilation.
 */
export async function native({ shapes: wanted, rows, rounds, say }: NativeOptions): Promise<NativeResult[]> {
  await install(['readers']);
  const results: NativeResult[] = [];
  for (const shape of wanted) {
    const count = Math.ceil(rows * SHARE[shape]);
    const columns = columnsOf(shape, count);
    const parts: Uint8Array[] = [];
    const { rowGroups } = encode(columns, { write: (bytes) => parts.push(bytes) });
    const arrow = await startArrow(parts);
    deepStrictEqual([arrow.rows, arrow.sum], [count, (count * (count - 1)) / 2], 'what Arrow read of our file');
    const ours: NativeRun[] = [];
    const theirs: NativeRun[] = [];
    const alike: NativeRun[] = [];
    try {
      for (let round = -1; round < rounds; round++) {
        const our = encodeOnce(columns);
        const their = await arrow.encode(Math.ceil(count / rowGroups), false);
        const like = await arrow.encode(Math.ceil(count / rowGroups), true);
        if (round < 0) continue;
        ours.push(our);
        theirs.push(their);
        alike.push(like);
        say(`${shape}: ours ${text(our)}, Arrow ${text(their)}, with checksums and indexes ${text(like)}`);
      }
    } finally {
      await arrow.stop();
    }
    results.push({
      shape,
      rows: count,
      rowGroups,
      arrow: arrow.version,
      ours,
      theirs,
      alike,
      sizeRatio: ours[0]!.bytes / theirs[0]!.bytes,
    });
  }
  return results;
}

/** With the options that src/pipeline takes where the configuration says nothing. */
function encode({ schema, batches }: Columns, sink: ByteSink): { rowGroups: number; bytes: number } {
  const options = { rowGroupSize: 16 << 20, pageSize: 1 << 20, dictionarySize: 1 << 20, fullMetrics: [], metadata: {} };
  const writer = createParquetWriter(schema, { ...options, compression: 'zstd', compressionLevel: 1 }, sink);
  for (const batch of batches) writer.write(batch);
  const { splitOffsets, fileSize } = writer.finish();
  return { rowGroups: splitOffsets.length, bytes: fileSize };
}

function encodeOnce(columns: Columns): NativeRun {
  const before = process.cpuUsage();
  const { bytes } = encode(columns, { write: () => {} });
  const { user, system } = process.cpuUsage(before);
  return { cpuSeconds: (user + system) / 1e6, bytes };
}

interface Arrow {
  readonly version: string;
  /** What it read from our file: rows, and the sum of the first column. */
  readonly rows: number;
  readonly sum: number;
  encode(rowGroupRows: number, alike: boolean): Promise<NativeRun>;
  stop(): Promise<void>;
}

/** A Python process that holds the columns of the file. */
async function startArrow(file: readonly Uint8Array[]): Promise<Arrow> {
  const directory = mkdtempSync(join(tmpdir(), 'tabletopic-native-'));
  const path = join(directory, 'columns.parquet');
  writeFileSync(path, Buffer.concat(file));
  const script = join(import.meta.dirname, 'native.py');
  const child = spawn(join(dirOf('readers'), 'bin', 'python'), [script, JSON.stringify({ file: path })], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<Record<string, unknown>> => {
    const line = await lines.next();
    if (line.done) throw new Error('native.py ended');
    return JSON.parse(line.value) as Record<string, unknown>;
  };
  const { version, rows, sum } = (await answer()) as { version: string; rows: number; sum: number };
  rmSync(directory, { recursive: true });
  return {
    version,
    rows,
    sum,
    encode: async (rows, alike) => {
      child.stdin.write(`${JSON.stringify({ rows, alike })}\n`);
      return (await answer()) as unknown as NativeRun;
    },
    stop: async () => {
      child.stdin.end();
      if (child.exitCode === null) await new Promise((resolve) => child.once('close', resolve));
    },
  };
}

function text({ cpuSeconds, bytes }: NativeRun): string {
  return `${cpuSeconds.toFixed(2)} s, ${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

/** Our CPU by Arrow's, round by round. */
function ratios(ours: readonly NativeRun[], theirs: readonly NativeRun[]): number[] {
  return ours.map(({ cpuSeconds }, i) => cpuSeconds / theirs[i]!.cpuSeconds);
}

/** Prints one line a shape. `alike`: beside Arrow with page checksums and page indexes. */
export function nativeTable(results: readonly NativeResult[]): string {
  const lines = results.map(({ shape, rows, rowGroups, ours, theirs, alike, sizeRatio }) => {
    const [our, their] = [ours, theirs].map((runs) => median(runs.map(({ cpuSeconds }) => cpuSeconds)).toFixed(2));
    const [ratio, likeRatio] = [theirs, alike].map((runs) => median(ratios(ours, runs)).toFixed(2));
    const cells = [shape, rows, rowGroups, our, their, ratio, likeRatio, sizeRatio.toFixed(3)];
    return cells.map((cell) => String(cell).padEnd(12)).join('');
  });
  const head = ['columns', 'rows', 'row groups', 'our CPU s', 'Arrow CPU s', 'CPU ratio', 'alike', 'size ratio'];
  return [head.map((cell) => cell.padEnd(12)).join(''), ...lines].join('\n');
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      shape: { type: 'string', multiple: true },
      rows: { type: 'string', default: '2000000' },
      rounds: { type: 'string', default: '5' },
      json: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
    },
  });
  const results = await native({
    shapes: (values.shape as Shape[] | undefined) ?? shapes,
    rows: Number(values.rows),
    rounds: Number(values.rounds),
    say: (line) => process.stderr.write(`${line}\n`),
  });
  console.log(values.json ? JSON.stringify({ machine: machine(), results }) : `${machine()}\n${nativeTable(results)}`);
  if (values.save)
    for (const { shape, ours, theirs, alike, sizeRatio } of results)
      writeBaseline(`native-${shape}`, {
        machine: machine(),
        versions: versions(),
        figures: {
          cpuRatio: spreadOf(ratios(ours, theirs)),
          alikeCpuRatio: spreadOf(ratios(ours, alike)),
          sizeRatio: spreadOf([sizeRatio]),
        },
      });
}
