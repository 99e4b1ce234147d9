import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { LocalFileIO } from '../../src/io/local.ts';
import { MemoryFileIO } from '../../src/io/memory.ts';
import { partSize } from '../../src/io/s3-output.ts';
import { systemPorts } from '../../src/ports.ts';
import { storeConformance } from './conformance.ts';

storeConformance('in-memory', () =>
  Promise.resolve({
    io: new MemoryFileIO(systemPorts.clock),
    root: 's3://bucket/root',
    leftovers: () => Promise.resolve(0),
    stop: () => Promise.resolve(),
  }),
);

storeConformance('local', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'tabletopic-local-'));
  return {
    io: new LocalFileIO(systemPorts.ids),
    root: `file:${dir}`,
    leftovers: async () => (await readdir(dir, { recursive: true })).filter((name) => name.includes('tmp')).length,
    stop: () => rm(dir, { recursive: true }),
  };
});

it('S3 parts grow so that 10,000 of them hold the largest object', () => {
  const mib = 1024 * 1024;
  expect([1, 1000, 1001, 10_000].map(partSize)).toEqual([8 * mib, 8 * mib, 16 * mib, 4096 * mib]);
});
