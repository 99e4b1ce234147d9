import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FileIO } from '../../src/io/file-io.ts';

export interface StoreFixture {
  readonly io: FileIO;
  /** Prefix of a place of our own, without a slash at the end. */
  readonly root: string;
  /** Open uploads and temporary files below the root. */
  leftovers(): Promise<number>;
  stop(): Promise<void>;
}

const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 0xff);

/** What every implementation of `FileIO` must do. */
export function storeConformance(name: string, open: () => Promise<StoreFixture>): void {
  describe(`${name} store`, () => {
    let fixture: StoreFixture;
    let io: FileIO;
    const at = (path: string): string => `${fixture.root}/${path}`;
    beforeAll(async () => {
      fixture = await open();
      io = fixture.io;
    });
    afterAll(async () => fixture?.stop());

    it('reads back what was written, whole and in ranges', async () => {
      const content = bytes(1000);
      await io.write(at('a/whole'), content);
      expect(Buffer.compare(await io.read(at('a/whole')), content)).toBe(0);
      expect(Array.from(await io.read(at('a/whole'), { offset: 10, length: 5 }))).toEqual(
        Array.from(content.subarray(10, 15)),
      );
      expect(Array.from(await io.read(at('a/whole'), { offset: 995 }))).toEqual(Array.from(content.subarray(995)));
      expect(Array.from(await io.read(at('a/whole'), { offset: -4 }))).toEqual(Array.from(content.subarray(996)));
      expect(await io.read(at('a/whole'), { offset: 3, length: 0 })).toHaveLength(0);
    });

    it('replaces an object, and with ifAbsent does not', async () => {
      await io.write(at('once'), bytes(10));
      await io.write(at('once'), bytes(20));
      await expect(io.write(at('once'), bytes(30), { ifAbsent: true })).rejects.toMatchObject({
        code: 'STORAGE_EXISTS',
      });
      expect(await io.read(at('once'))).toHaveLength(20);
      await io.write(at('first'), bytes(5), { ifAbsent: true });
      expect(await io.read(at('first'))).toHaveLength(5);
      expect(await fixture.leftovers()).toBe(0);
    });

    it('lets one of two writers with ifAbsent win', async () => {
      const results = await Promise.allSettled(
        [1, 2, 3, 4].map((n) => io.write(at('race'), bytes(n), { ifAbsent: true })),
      );
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
    });

    it('knows size and time, and null where nothing is', async () => {
      await io.write(at('sized'), bytes(77));
      const found = (await io.stat(at('sized')))!;
      expect(found.size).toBe(77);
      expect(Math.abs(found.modified - Date.now())).toBeLessThan(120_000);
      expect(await io.stat(at('absent'))).toBeNull();
      await expect(io.read(at('absent'))).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
    });

    it('takes names literally', async () => {
      const odd = at('dt=2024-01-01 00%3A00/ü+&é.bin');
      await io.write(odd, bytes(3));
      expect(await io.read(odd)).toHaveLength(3);
      const listed: string[] = [];
      for await (const { location } of io.list(at('dt='))) listed.push(location);
      expect(listed).toEqual([odd]);
    });

    it('lists by prefix and deletes, also what is not there', async () => {
      for (const path of ['l/1', 'l/2', 'l/deep/3', 'l2/4']) await io.write(at(path), bytes(4));
      const listed = async (prefix: string): Promise<string[]> => {
        const found: string[] = [];
        for await (const { location, size } of io.list(at(prefix))) {
          expect(size).toBe(4);
          found.push(location);
        }
        return found.sort();
      };
      expect(await listed('l/')).toEqual(['l/1', 'l/2', 'l/deep/3'].map(at));
      expect(await listed('l')).toEqual(['l/1', 'l/2', 'l/deep/3', 'l2/4'].map(at));
      expect(await listed('nothing/')).toEqual([]);
      await io.delete([at('l/1'), at('l/deep/3'), at('l/never')]);
      expect(await listed('l/')).toEqual([at('l/2')]);
    });

    it.each([0, 1000, 8 * 1024 * 1024, 21 * 1024 * 1024 + 7])(
      'streams a file of %i bytes, which appears at close',
      async (size) => {
        const content = bytes(size);
        const output = io.create(at(`stream-${size}`));
        for (let from = 0; from < size; from += 3_000_001) await output.write(content.subarray(from, from + 3_000_001));
        expect(await io.stat(at(`stream-${size}`))).toBeNull();
        expect(await output.close()).toBe(size);
        const read = await io.read(at(`stream-${size}`));
        expect(read.length).toBe(size);
        expect(Buffer.compare(read, content)).toBe(0);
        expect(await fixture.leftovers()).toBe(0);
      },
    );

    it.each([1000, 20 * 1024 * 1024])('leaves nothing of a file given up after %i bytes', async (size) => {
      const output = io.create(at(`given-up-${size}`));
      await output.write(bytes(size));
      await output.abort();
      await output.abort();
      expect(await io.stat(at(`given-up-${size}`))).toBeNull();
      expect(await fixture.leftovers()).toBe(0);
      await expect(output.write(bytes(1))).rejects.toMatchObject({ code: 'INTERNAL' });
    });
  });
}
