import { expect, test } from 'vitest';
import { Dictionary } from '../../src/parquet/dictionary.ts';

function indexesOf(texts: readonly string[]): number[] {
  const offsets = new Int32Array(texts.length + 1);
  for (const [i, text] of texts.entries()) offsets[i + 1] = offsets[i]! + text.length;
  const bytes = new Uint8Array(offsets[texts.length]! + 8);
  bytes.set(Buffer.from(texts.join('')));
  const out = new Int32Array(texts.length);
  new Dictionary(-1).encodeBytes(bytes, offsets, null, 0, texts.length, out, 0);
  return [...out];
}

test.each([
  [
    ['orders', 'orders', 'orders'],
    [0, 0, 0],
  ],
  [
    ['', '', ''],
    [0, 0, 0],
  ],
  [
    ['ab', 'ab', 'ac'],
    [0, 0, 1],
  ],
  [
    ['aa', 'a', 'aaa'],
    [0, 1, 2],
  ],
])('values %j have the entries %j', (texts, entries) => {
  expect(indexesOf(texts)).toEqual(entries);
});
