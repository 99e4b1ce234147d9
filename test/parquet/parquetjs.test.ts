import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import type { NestedField } from '../../src/schema/types.ts';
import { encode, schemaOf } from './files.ts';

// parquetjs-lite is a second reader that shares no code with hyparquet. It knows snappy and gzip.
interface Cursor {
  next(): Promise<Record<string, unknown> | null>;
}
interface Reader {
  getCursor(): Cursor;
  close(): Promise<void>;
}
const { ParquetReader } = createRequire(import.meta.url)('parquetjs-lite') as {
  ParquetReader: { openBuffer(bytes: Uint8Array): Promise<Reader> };
};

const field = (id: number, name: string, type: NestedField['type'], required = false): NestedField => ({
  id,
  name,
  type,
  required,
});
const schema = schemaOf(
  field(1, 'n', 'long', true),
  field(2, 's', 'string'),
  field(3, 'low', 'string', true),
  field(4, 'd', 'double'),
  field(5, 'i', 'int'),
  field(6, 'b', 'boolean'),
  field(7, 'st', { type: 'struct', fields: [field(8, 'x', 'int')] }),
  field(9, 'l', { type: 'list', 'element-id': 10, 'element-required': true, element: 'int' }),
);

for (const compression of ['snappy', 'gzip', 'none'] as const) {
  test(`parquetjs-lite reads a ${compression} file`, async () => {
    const rows = Array.from({ length: 3000 }, (_, i) => ({
      n: BigInt(i),
      s: i % 5 === 0 ? null : `text ${(i * 7919) % 3001}`,
      low: `kind ${i % 3}`,
      d: i / 7,
      i: i % 4 === 0 ? null : -i,
      b: i % 2 === 0,
      st: i % 6 === 0 ? null : { x: i },
      l: Array.from({ length: (i % 3) + 1 }, (__, k) => i + k),
    }));
    const { bytes } = encode(schema, rows, { compression, compressionLevel: 6, pageSize: 3000, rowGroupSize: 25_000 });
    const reader = await ParquetReader.openBuffer(Buffer.from(bytes));
    const cursor = reader.getCursor();
    const found = [];
    for (let row = await cursor.next(); row; row = await cursor.next()) found.push(row);
    await reader.close();
    expect(found.length).toBe(rows.length);
    found.forEach((row, i) => {
      const { n, s, low, d, i: int, b, st, l } = rows[i]!;
      // It gives nested integers as text.
      const list = (row['l'] as { list: { element: unknown }[] }).list.map((item) => Number(item.element));
      const struct = row['st'] as { x: number } | undefined;
      expect([
        BigInt(row['n'] as number),
        row['s'] ?? null,
        row['low'],
        row['d'],
        row['i'] ?? null,
        row['b'],
        struct?.x ?? null,
        list,
      ]).toEqual([n, s, low, d, int, b, st?.x ?? null, l]);
    });
  });
}
