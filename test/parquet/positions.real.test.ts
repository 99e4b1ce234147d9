import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readPositions } from '../../src/parquet/positions.ts';
import { python } from '../real/readers.ts';
import { type RowPosition, rowsOf } from './position-rows.ts';

// Positions in files of another writer: other engines compact our tables.

const dir = mkdtempSync(join(tmpdir(), 'tabletopic-positions-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test('of files that Arrow wrote, in every form of pages, encodings and compressions', async () => {
  const names = JSON.parse(await python(join(import.meta.dirname, 'positions.py'), dir)) as string[];
  expect(names).toHaveLength(20);
  for (const name of names) {
    const bytes = readFileSync(join(dir, name));
    const found: (RowPosition | null)[] = [];
    const read = ({ offset, length }: { offset: number; length: number }): Promise<Uint8Array> =>
      Promise.resolve(bytes.subarray(offset, offset + length));
    for await (const batch of readPositions(read, bytes.length)) found.push(...rowsOf(batch));
    const expected = Array.from({ length: 5000 }, (_, i) =>
      name.startsWith('null') && i % 10 === 0
        ? null
        : { topic: i % 3 === 0 ? 'a' : 'b', partition: i % 4, offset: 5_000_000_000 + i },
    );
    expect(found, name).toEqual(expected);
  }
});
