import { expect, test } from 'vitest';
import { free } from '../src/free.ts';

/** Neither the language's types nor Node's have it. */
declare const WebAssembly: { readonly Memory: new (pages: { initial: number }) => { readonly buffer: ArrayBuffer } };

test('memory of one’s own is gone at once; a pool that others use stays', () => {
  const own = new Uint8Array(100_000);
  free(own.buffer);
  expect([own.length, own.buffer.detached]).toEqual([0, true]);
  free(own.buffer);

  const [mine, theirs] = [Buffer.from('mine'), Buffer.from('theirs')];
  free(mine.buffer);
  expect(theirs.toString()).toBe('theirs');
});
