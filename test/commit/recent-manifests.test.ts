import { expect, test } from 'vitest';
import { RecentManifests } from '../../src/commit/recent-manifests.ts';
import { MemoryFileIO } from '../../src/io/memory.ts';
import { systemPorts } from '../../src/ports.ts';

/** A store that says what was read from it. */
function store() {
  const io = new MemoryFileIO(systemPorts.clock);
  const reads: string[] = [];
  const read = io.read.bind(io);
  io.read = (location, range) => {
    reads.push(location);
    return read(location, range);
  };
  return { io, reads };
}

const at = (name: string): string => `memory:/t/metadata/${name}-m0.avro`;
const bytes = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

test('a manifest that was written is read without a request, the oldest of too many with one', async () => {
  const { io, reads } = store();
  const kept = new RecentManifests(250).around(io);
  for (const [i, name] of ['a', 'b', 'c'].entries()) await kept.write(at(name), bytes(100, i));
  expect(await kept.read(at('c'))).toEqual(bytes(100, 2));
  expect(await kept.read(at('b'))).toEqual(bytes(100, 1));
  expect(reads).toEqual([]);
  expect(await kept.read(at('a'))).toEqual(bytes(100, 0));
  expect(reads).toEqual([at('a')]);
});

test('a part of a file, another file, a large manifest and one that was deleted are asked of the store', async () => {
  const { io, reads } = store();
  const kept = new RecentManifests().around(io);
  await kept.write(at('a'), bytes(100, 1));
  await kept.write(at('large'), bytes(65 << 10, 1));
  await kept.write('memory:/t/metadata/snap-1.avro', bytes(10, 1));
  expect(await kept.read(at('a'), { offset: 90 })).toEqual(bytes(10, 1));
  await kept.read(at('large'));
  await kept.read('memory:/t/metadata/snap-1.avro');
  expect(reads).toEqual([at('a'), at('large'), 'memory:/t/metadata/snap-1.avro']);
  await kept.delete([at('a')]);
  await expect(kept.read(at('a'))).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
});

test('what was not stored is not kept, and what the caller does with its bytes changes nothing', async () => {
  const { io } = store();
  const kept = new RecentManifests().around(io);
  const own = bytes(10, 1);
  await kept.write(at('a'), own);
  own.fill(9);
  expect(await kept.read(at('a'))).toEqual(bytes(10, 1));
  await expect(kept.write(at('a'), bytes(10, 2), { ifAbsent: true })).rejects.toMatchObject({ code: 'STORAGE_EXISTS' });
  expect(await kept.read(at('a'))).toEqual(bytes(10, 1));
});
