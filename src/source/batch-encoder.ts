import { gzipSync, zstdCompressSync } from 'node:zlib';
import { lz4Compress, snappyCompress } from '@platformatic/wasm-utils';
import { Codec } from './compression.ts';
import type { CodecName } from './compression.ts';
import { crc32c } from './crc.ts';
import { BatchField, BatchFlag, RECORD_BATCH_HEADER } from './record-batch.ts';

/** A record to be written. Offsets and times are relative to the batch on the wire, absolute here. */
export interface RecordToEncode {
  readonly offset: number;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers?: readonly (readonly [key: string, value: Uint8Array | null])[];
}

export interface BatchToEncode {
  readonly baseOffset: number;
  /** Defaults to the last record's; larger where compaction removed the last records. */
  readonly lastOffset?: number;
  readonly records: readonly RecordToEncode[];
  readonly compression?: CodecName;
  readonly leaderEpoch?: number;
  readonly producerId?: bigint;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
  readonly transactional?: boolean;
  readonly control?: boolean;
  /** The broker's time for every record (LogAppendTime). */
  readonly logAppendTime?: number;
}

/** One record batch in format v2 (KIP-98). */
export function encodeBatch(batch: BatchToEncode): Buffer {
  const { records, baseOffset } = batch;
  // wasm-utils cannot compress nothing once its memory has grown; there is nothing to gain either.
  const compression = records.length === 0 ? 'none' : (batch.compression ?? 'none');
  const baseTimestamp = records[0]?.timestamp ?? -1;
  const plain = Buffer.concat(records.map((record) => encodeRecord(record, baseOffset, baseTimestamp)));
  const body = compress(plain, compression);
  const out = Buffer.alloc(RECORD_BATCH_HEADER + body.length);
  out.writeBigInt64BE(BigInt(baseOffset), BatchField.baseOffset);
  out.writeInt32BE(out.length - BatchField.leaderEpoch, BatchField.length);
  out.writeInt32BE(batch.leaderEpoch ?? 0, BatchField.leaderEpoch);
  out.writeInt8(2, BatchField.magic);
  const attributes =
    Codec[compression] |
    (batch.logAppendTime === undefined ? 0 : BatchFlag.logAppendTime) |
    (batch.transactional === true ? BatchFlag.transactional : 0) |
    (batch.control === true ? BatchFlag.control : 0);
  out.writeInt16BE(attributes, BatchField.attributes);
  const lastOffset = batch.lastOffset ?? records.at(-1)?.offset ?? baseOffset;
  out.writeInt32BE(lastOffset - baseOffset, BatchField.lastOffsetDelta);
  out.writeBigInt64BE(BigInt(baseTimestamp), BatchField.baseTimestamp);
  const maxTimestamp = batch.logAppendTime ?? records.reduce((max, record) => Math.max(max, record.timestamp), -1);
  out.writeBigInt64BE(BigInt(maxTimestamp), BatchField.maxTimestamp);
  out.writeBigInt64BE(batch.producerId ?? -1n, BatchField.producerId);
  out.writeInt16BE(batch.producerEpoch ?? -1, BatchField.producerEpoch);
  out.writeInt32BE(batch.baseSequence ?? -1, BatchField.baseSequence);
  out.writeInt32BE(records.length, BatchField.recordCount);
  body.copy(out, RECORD_BATCH_HEADER);
  sealBatch(out);
  return out;
}

/** The batch that ends a transaction: one control record, key (version 0, type), value (version 0, coordinator epoch 0). */
export function encodeMarker(
  baseOffset: number,
  producerId: bigint,
  producerEpoch: number,
  committed: boolean,
  timestamp: number,
  leaderEpoch = 0,
): Buffer {
  const key = Uint8Array.of(0, 0, 0, committed ? 1 : 0);
  return encodeBatch({
    baseOffset,
    producerId,
    producerEpoch,
    leaderEpoch,
    transactional: true,
    control: true,
    records: [{ offset: baseOffset, timestamp, key, value: new Uint8Array(6) }],
  });
}

/** Writes the checksum anew after a change of what it covers (attributes on). */
export function sealBatch(batch: Buffer): void {
  batch.writeUInt32BE(crc32c(batch.subarray(BatchField.attributes)), BatchField.crc);
}

function compress(plain: Buffer, codec: CodecName): Buffer {
  switch (codec) {
    case 'none':
      return plain;
    case 'gzip':
      return gzipSync(plain);
    case 'zstd':
      return zstdCompressSync(plain);
    case 'snappy':
      return snappyCompress(plain);
    case 'lz4':
      return lz4Compress(plain);
  }
}

function encodeRecord(record: RecordToEncode, baseOffset: number, baseTimestamp: number): Buffer {
  const headers = record.headers ?? [];
  const parts: Uint8Array[] = [
    Uint8Array.of(0),
    zigzag(record.timestamp - baseTimestamp),
    zigzag(record.offset - baseOffset),
  ];
  pushBytes(parts, record.key);
  pushBytes(parts, record.value);
  parts.push(zigzag(headers.length));
  for (const [key, value] of headers) {
    pushBytes(parts, Buffer.from(key));
    pushBytes(parts, value);
  }
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([zigzag(length), ...parts]);
}

function pushBytes(parts: Uint8Array[], bytes: Uint8Array | null): void {
  parts.push(zigzag(bytes === null ? -1 : bytes.length));
  if (bytes !== null) parts.push(bytes);
}

/** Zigzag varint of a number that is exact (below 2^52). */
function zigzag(value: number): Uint8Array {
  let raw = value < 0 ? -2 * value - 1 : 2 * value;
  const out: number[] = [];
  while (raw > 0x7f) {
    out.push((raw % 128) | 0x80);
    raw = Math.floor(raw / 128);
  }
  out.push(raw);
  return Uint8Array.from(out);
}
