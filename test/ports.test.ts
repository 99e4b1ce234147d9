import { expect, test } from 'vitest';
import { systemPorts } from '../src/ports.ts';

const { clock } = systemPorts;

test('a sleep ends after its time', async () => {
  const { signal } = new AbortController();
  const before = clock.monotonic();
  await clock.sleep(20, signal);
  expect(clock.monotonic() - before).toBeGreaterThan(15);
});

test('a sleep that is aborted, before or meanwhile, rejects with the reason itself', async () => {
  const reason = new Error('no longer');
  await expect(clock.sleep(60_000, AbortSignal.abort(reason))).rejects.toBe(reason);
  const ended = new AbortController();
  const sleeping = clock.sleep(60_000, ended.signal);
  ended.abort(reason);
  await expect(sleeping).rejects.toBe(reason);
});
