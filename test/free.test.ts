import { expect, test } from 'vitest';
import { free } from '../src/free.ts';

test('memory of one’s own is gone at once; a pool that others use stays', () => {
  const own = new Uint8Array(100_000);
  free(own.buffer);
  expect([own.length, own.buffer.detached]).toEqual([0, true]);
  free(own.buffer);

  const [mine, theirs] = [Buffer.from('mine'), Buffer.from('theirs')];
  free(mine.buffer);
  expect(theirs.toString()).toBe('theirs');
});
