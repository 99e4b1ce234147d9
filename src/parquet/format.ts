/** Codes of the Parquet format (parquet.thrift, format 2.x) that the encoder uses. */
export const PhysicalType = { boolean: 0, int32: 1, int64: 2, float: 4, double: 5, byteArray: 6, fixed: 7 } as const;
export const Repetition = { required: 0, optional: 1, repeated: 2 } as const;
export const ConvertedType = { utf8: 0, map: 1, list: 3, decimal: 5, date: 6, timestampMicros: 10 } as const;
/** `plainDictionary` is the name that v1 pages have for what v2 pages call RLE_DICTIONARY; every reader knows it. */
export const Encoding = { plain: 0, plainDictionary: 2, rle: 3 } as const;
export const PageType = { data: 0, dictionary: 2 } as const;
export const Codec = { none: 0, snappy: 1, gzip: 2, zstd: 6 } as const;
export const BoundaryOrder = { unordered: 0, ascending: 1, descending: 2 } as const;

export const MAGIC: Uint8Array = Uint8Array.of(0x50, 0x41, 0x52, 0x31);

/**
 * Written into each file. Readers parse it (`<application> version <version> (build <hash>)`) to know the writer's
 * defects; statistics of a file that does not follow the form are ignored by parquet-java.
 */
export const CREATED_BY = 'tabletopic version 0.1.0';
