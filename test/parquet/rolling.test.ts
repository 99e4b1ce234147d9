import { readOffsetIndex } from 'hyparquet';
import { describe, expect, test } from 'vitest';
import { RollingWriter } from '../../src/parquet/rolling.ts';
import type { PartitionTuple, RollingOptions } from '../../src/parquet/rolling.ts';
import type { FileMetrics } from '../../src/parquet/parquet.ts';
import type { NestedField } from '../../src/schema/types.ts';
import { batchOf } from '../columns/rows.ts';
import type { Plain } from '../columns/rows.ts';
import { arrayBuffer, decode, metadataOf, options as parquet, schemaOf } from './files.ts';

const field = (id: number, name: string, type: NestedField['type'], required = false): NestedField => ({
  id,
  name,
  type,
  required,
});
const schema = schemaOf(field(1, 'k', 'int'), field(2, 's', 'string'));
const byK = [{ fieldId: 1000, sourceId: 1, transform: 'identity' }];

interface Closed {
  readonly id: number;
  readonly metrics: FileMetrics;
  readonly tuple: PartitionTuple;
  readonly bytes: Uint8Array;
}

function writing(
  changed: Partial<RollingOptions>,
  opened?: (writer: RollingWriter) => void,
): { writer: RollingWriter; closed: Closed[] } {
  const parts: Uint8Array[][] = [];
  const closed: Closed[] = [];
  const writer: RollingWriter = new RollingWriter(
    { schema, partition: [], parquet, targetFileSize: 1 << 30, bufferBudget: 1 << 30, ...changed },
    {
      open: () => {
        opened?.(writer);
        const own: Uint8Array[] = [];
        return { id: parts.push(own) - 1, sink: { write: (bytes) => own.push(bytes) } };
      },
      closed: (id, metrics, tuple) => closed.push({ id, metrics, tuple, bytes: Buffer.concat(parts[id]!) }),
    },
  );
  return { writer, closed };
}

const rowsOf = (from: number, count: number, k: (i: number) => number | null): Record<string, Plain>[] =>
  Array.from({ length: count }, (_, j) => ({
    k: k(from + j),
    s: `row ${from + j} ${((from + j) * 2654435761) % 1e9}`,
  }));

test('without a partition spec there is one file, closed at its target size', async () => {
  const { writer, closed } = writing({ targetFileSize: 50_000 });
  const all = [];
  for (let i = 0; i < 20; i++) {
    const rows = rowsOf(i * 1000, 1000, (n) => n);
    all.push(...rows);
    writer.write(batchOf(schema, rows));
    expect(writer.openFiles).toBeLessThanOrEqual(1);
  }
  expect(closed.length).toBeGreaterThan(2);
  writer.finish();
  expect(writer.openFiles).toBe(0);
  expect(writer.bufferedBytes).toBe(0);
  const found = [];
  for (const file of closed) found.push(...(await decode(file.bytes, schema)));
  expect(found).toEqual(all);
  expect(closed.every((file) => file.tuple.size === 0 && file.metrics.fileSize === file.bytes.length)).toBe(true);
});

test('a dictionary that did not pay in one file is not tried in the next seven, then again', async () => {
  const { writer, closed } = writing({});
  for (let i = 0; i < 17; i++) {
    writer.write(
      batchOf(
        schema,
        rowsOf(i * 200, 200, () => 7),
      ),
    );
    writer.finish();
  }
  const tried = closed.map(({ bytes }) =>
    metadataOf(bytes).row_groups[0]!.columns.map((column) => column.meta_data!.dictionary_page_offset !== undefined),
  );
  expect(tried).toEqual(Array.from({ length: 17 }, () => [true, false]));
  // What comes to pay is found again.
  for (let i = 0; i < 8; i++) {
    writer.write(
      batchOf(
        schema,
        Array.from({ length: 200 }, () => ({ k: 7, s: 'the same' })),
      ),
    );
    writer.finish();
  }
  const later = closed.slice(17).map(({ bytes }) => metadataOf(bytes).row_groups[0]!.columns[1]!.meta_data!);
  expect(later.filter((chunk) => chunk.dictionary_page_offset !== undefined)).toHaveLength(1);
});

/** Data pages of each column. */
const pagesOf = (bytes: Uint8Array): number[] =>
  metadataOf(bytes).row_groups[0]!.columns.map(({ offset_index_offset: at, offset_index_length: length }) => {
    const view = new DataView(arrayBuffer(bytes), Number(at), length);
    return readOffsetIndex({ view, offset: 0 }).page_locations.length;
  });

describe('with a partition spec', () => {
  test('rows that wait for others of their tuple come before a whole batch of it', async () => {
    const { writer, closed } = writing({ partition: byK });
    const few = rowsOf(0, 20, (n) => n % 2);
    const whole = rowsOf(20, 20, () => 1);
    writer.write(batchOf(schema, few));
    writer.write(batchOf(schema, whole));
    writer.finish();
    const file = closed.find(({ tuple }) => tuple.get(1000) === 1)!;
    expect(await decode(file.bytes, schema)).toEqual([...few.filter(({ k }) => k === 1), ...whole]);
  });

  test('the budget counts rows that wait to be encoded', () => {
    const { writer, closed } = writing({ partition: byK, bufferBudget: 1 << 20 });
    const rows = Array.from({ length: 20 }, (_, i) => ({ k: i % 2, s: 'x'.repeat(20_000) }));
    writer.write(batchOf(schema, rows));
    expect(writer.bufferedBytes).toBeGreaterThan(400_000);
    for (let i = 0; i < 4; i++) writer.write(batchOf(schema, rows));
    expect(closed.length).toBeGreaterThan(0);
    expect(writer.bufferedBytes).toBeLessThanOrEqual(1 << 20);
  });

  test('each file holds the rows of its tuple, in order', async () => {
    const { writer, closed } = writing({ partition: byK });
    const all = rowsOf(0, 3000, (n) => (n % 5 === 4 ? null : n % 5));
    for (let i = 0; i < 3000; i += 1000) writer.write(batchOf(schema, all.slice(i, i + 1000)));
    expect(writer.openFiles).toBe(5);
    expect(writer.rows).toBe(3000);
    writer.finish();
    expect(closed.length).toBe(5);
    for (const { tuple, bytes, metrics } of closed) {
      const k = tuple.get(1000);
      const rows = all.filter((row) => row['k'] === k);
      expect(await decode(bytes, schema)).toEqual(rows);
      expect(metrics.recordCount).toBe(rows.length);
    }
  });

  test('the budget holds with a thousand tuples; the coldest file goes first', async () => {
    const bufferBudget = 1_500_000;
    const { writer, closed } = writing({ partition: byK, bufferBudget });
    const all: Record<string, Plain>[] = [];
    for (let i = 0; i < 10; i++) {
      // Tuple -1 is in each batch, so that it stays warm; the others come once.
      const rows = rowsOf(i * 100, 100, (n) => (n % 100 === 99 ? -1 : n));
      all.push(...rows);
      writer.write(batchOf(schema, rows));
      expect(writer.bufferedBytes).toBeLessThanOrEqual(bufferBudget);
    }
    expect(closed.length).toBeGreaterThan(100);
    expect(closed.some((file) => file.tuple.get(1000) === -1)).toBe(false);
    expect(closed.map((file) => file.tuple.get(1000))).toEqual([...closed.keys()].map((n) => n + Math.floor(n / 99)));
    writer.finish();
    const found = [];
    for (const file of closed) found.push(...(await decode(file.bytes, schema)));
    expect(new Set(found.map((row) => row['s']))).toEqual(new Set(all.map((row) => row['s'])));
    expect(found.length).toBe(all.length);
  });

  test('pages are compressed before files are closed for the budget', async () => {
    const bufferBudget = 2 << 20;
    const { writer, closed } = writing({ partition: byK, bufferBudget });
    const all: Record<string, Plain>[] = [];
    // Of 200 bytes, most of which compression takes off: some 8 MB in four files.
    for (let i = 0; i < 40; i++) {
      const rows = Array.from({ length: 1000 }, (_, j) => ({ k: j % 4, s: `row ${i} ${j}`.padEnd(200, '.') }));
      all.push(...rows);
      writer.write(batchOf(schema, rows));
      expect(writer.bufferedBytes).toBeLessThanOrEqual(bufferBudget);
    }
    expect(closed).toEqual([]);
    writer.finish();
    expect(closed).toHaveLength(4);
    for (const { tuple, bytes } of closed)
      expect(await decode(bytes, schema)).toEqual(all.filter((row) => row['k'] === tuple.get(1000)));
  });

  test('where open pages are small, files are closed and no page is cut', () => {
    const { writer, closed } = writing({ partition: byK, bufferBudget: 2 << 20 });
    for (let i = 0; i < 40; i++)
      writer.write(
        batchOf(
          schema,
          rowsOf(i * 1000, 1000, (n) => n % 100),
        ),
      );
    expect(closed.length).toBeGreaterThan(0);
    for (const { bytes } of closed) expect(pagesOf(bytes)).toEqual([1, 1]);
  });

  test('the budget holds within one batch too, however many tuples it has', () => {
    const bufferBudget = 500_000;
    const held: number[] = [];
    const { writer } = writing({ partition: byK, bufferBudget }, ({ bufferedBytes }) => held.push(bufferedBytes));
    writer.write(
      batchOf(
        schema,
        rowsOf(0, 500, (n) => n),
      ),
    );
    expect(held).toHaveLength(500);
    expect(Math.max(...held)).toBeLessThanOrEqual(bufferBudget);
    expect(Math.max(...held)).toBeGreaterThan(bufferBudget / 2);
  });

  test('abort drops what is open and names it', () => {
    const { writer, closed } = writing({ partition: byK });
    writer.write(
      batchOf(
        schema,
        rowsOf(0, 3, (n) => n),
      ),
    );
    expect(writer.abort()).toEqual([0, 1, 2]);
    expect(writer.bufferedBytes).toBe(0);
    writer.finish();
    expect(closed).toEqual([]);
  });
});
