import { describe, expect, test } from 'vitest';
import { TabletopicError } from '../../src/errors.ts';
import { Uploads } from '../../src/ingest/uploads.ts';
import { MemoryFileIO } from '../../src/io/memory.ts';
import type { FileMetrics } from '../../src/parquet/parquet.ts';
import { systemPorts } from '../../src/ports.ts';

const metrics = { recordCount: 1 } as FileMetrics;
const nobody = { taken: () => undefined, failed: () => undefined };

function uploadsOn(io: MemoryFileIO, hooks: Partial<ConstructorParameters<typeof Uploads>[2]> = {}): Uploads {
  let n = 0;
  return new Uploads(io, () => `s3://b/${n++}.parquet`, { ...nobody, ...hooks });
}

describe('Uploads', () => {
  test('parts come together in order; the file is handed out once, when it is durable', async () => {
    const io = new MemoryFileIO(systemPorts.clock);
    let taken = 0;
    const uploads = uploadsOn(io, { taken: (_, bytes) => (taken += bytes) });
    uploads.handle(0, { type: 'file', table: 1, file: 0, partition: new Map() });
    const parts = [1, 2, 3].map((byte) => new Uint8Array([byte]));
    for (const bytes of parts) uploads.handle(0, { type: 'part', table: 1, file: 0, bytes });
    expect(uploads.take(0)).toEqual([]);
    uploads.handle(0, { type: 'file-end', table: 1, file: 0, metrics });
    const [file] = await Promise.all(uploads.take(0));
    expect(file).toMatchObject({ location: 's3://b/0.parquet', metrics });
    expect([...(await io.read('s3://b/0.parquet'))]).toEqual([1, 2, 3]);
    expect(uploads.take(0)).toEqual([]);
    expect(taken).toBe(3);
    // Their memory is given back at once.
    expect(parts.every(({ buffer }) => buffer.detached)).toBe(true);
  });

  test('workers count their files by themselves', async () => {
    const io = new MemoryFileIO(systemPorts.clock);
    const uploads = uploadsOn(io);
    for (const worker of [0, 1]) {
      uploads.handle(worker, { type: 'file', table: 1, file: 0, partition: new Map() });
      uploads.handle(worker, { type: 'file-end', table: 1, file: 0, metrics });
    }
    expect(uploads.take(0)).toHaveLength(1);
    expect(uploads.take(1)).toHaveLength(1);
  });

  test('what no checkpoint will hold is deleted, and an aborted file never appears', async () => {
    const io = new MemoryFileIO(systemPorts.clock);
    const uploads = uploadsOn(io);
    uploads.handle(0, { type: 'file', table: 1, file: 0, partition: new Map() });
    uploads.handle(0, { type: 'file-end', table: 1, file: 0, metrics });
    uploads.handle(0, { type: 'file', table: 1, file: 1, partition: new Map() });
    uploads.handle(0, { type: 'file-abort', table: 1, file: 1 });
    await uploads.discard(uploads.take(0));
    await uploads.close();
    expect(await io.stat('s3://b/0.parquet')).toBeNull();
    expect(await io.stat('s3://b/1.parquet')).toBeNull();
  });

  test('a store that fails is told, and the file’s promise rejects with its error', async () => {
    const down = new TabletopicError('STORAGE_UNAVAILABLE', 'down');
    const io = new MemoryFileIO(systemPorts.clock, { before: () => Promise.reject(down) });
    const told: unknown[] = [];
    const uploads = uploadsOn(io, { failed: (error) => told.push(error) });
    uploads.handle(0, { type: 'file', table: 1, file: 0, partition: new Map() });
    uploads.handle(0, { type: 'part', table: 1, file: 0, bytes: new Uint8Array(1) });
    uploads.handle(0, { type: 'file-end', table: 1, file: 0, metrics });
    await expect(Promise.all(uploads.take(0))).rejects.toBe(down);
    expect(told).toContain(down);
  });

  test('parts of a file that is gone are given back, so that their worker does not wait for ever', () => {
    let taken = 0;
    uploadsOn(new MemoryFileIO(systemPorts.clock), { taken: (_, bytes) => (taken += bytes) }).handle(0, {
      type: 'part',
      table: 1,
      file: 9,
      bytes: new Uint8Array(5),
    });
    expect(taken).toBe(5);
  });
});
