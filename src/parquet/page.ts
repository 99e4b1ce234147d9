import { crc32 } from 'node:zlib';
import { ByteBuffer } from './byte-buffer.ts';
import type { Bound } from './bounds.ts';
import type { Compressor } from './compress.ts';
import { Encoding, PageType } from './format.ts';
import { ThriftWriter } from './thrift.ts';

/** A page as it stands in the file: header and body, compressed where the chunk is. */
export interface EncodedPage {
  readonly header: Uint8Array;
  readonly body: Uint8Array;
  /** Bytes in the file, with the header. */
  readonly size: number;
  /** Bytes before compression, with the header. */
  readonly rawSize: number;
}

/** What the indexes and statistics say of a data page. */
export interface PageFacts {
  readonly encoding: number;
  /** Level entries (nulls and empty lists count). */
  readonly entries: number;
  readonly rows: number;
  readonly nulls: number;
  readonly nans: number;
  readonly min: Bound | null;
  readonly max: Bound | null;
}

export interface DataPage extends EncodedPage, PageFacts {}

const HEADER = new ThriftWriter();

/** A v1 data page: `raw` holds levels and values. Version 1 is what every reader takes. */
export function dataPage(raw: Uint8Array, facts: PageFacts, compressor: Compressor): DataPage {
  const { encoding, entries, rows, nulls, nans, min, max } = facts;
  const { header, body, size, rawSize } = page(raw, PageType.data, compressor, () =>
    HEADER.struct(5, () => {
      HEADER.i32(1, entries);
      HEADER.i32(2, encoding);
      HEADER.i32(3, Encoding.rle);
      HEADER.i32(4, Encoding.rle);
    }),
  );
  return { header, body, size, rawSize, encoding, entries, rows, nulls, nans, min, max };
}

export function dictionaryPage(raw: Uint8Array, size: number, compressor: Compressor): EncodedPage {
  return page(raw, PageType.dictionary, compressor, () =>
    HEADER.struct(7, () => {
      HEADER.i32(1, size);
      HEADER.i32(2, Encoding.plainDictionary);
    }),
  );
}

function page(raw: Uint8Array, type: number, compressor: Compressor, inside: () => void): EncodedPage {
  const body = compressor.compress(raw);
  HEADER.out.clear();
  HEADER.root(() => {
    HEADER.i32(1, type);
    HEADER.i32(2, raw.length);
    HEADER.i32(3, body.length);
    HEADER.i32(4, crc32(body) | 0);
    inside();
  });
  const header = HEADER.out.copy();
  return { header, body, size: header.length + body.length, rawSize: header.length + raw.length };
}

/** Where a page is put together before compression; shared, since an encoder's work is never interleaved. */
export const SCRATCH: ByteBuffer = new ByteBuffer();
