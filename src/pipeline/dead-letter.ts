import type { DecodeFailure } from '../decode/decoder.ts';
import { registryIdOf } from '../decode/wire-format.ts';
import type { RecordPositions } from '../source/record-batch.ts';
import { readHeaders } from '../source/headers.ts';
import type { LaneReader } from './lane-reader.ts';
import type { SchemaKey } from './messages.ts';
import type { DeadLetter } from './ranges.ts';

/** The record at `index`, whole, with why it is not a row. Its bytes are copied: the buffer is reused. */
export function deadLetter(
  lane: LaneReader,
  positions: RecordPositions,
  index: number,
  key: SchemaKey | null,
  failure: Pick<DecodeFailure, 'code' | 'reason'>,
): DeadLetter {
  return {
    topic: lane.topic,
    partition: lane.partition,
    offset: positions.offsets[index]!,
    timestamp: positions.timestamps[index]!,
    timestampType: positions.timestampType,
    key: copy(positions, positions.keyStart[index]!, positions.keyLength[index]!),
    value: copy(positions, positions.valueStart[index]!, positions.valueLength[index]!),
    headers: readHeaders(positions, index),
    code: failure.code,
    reason: failure.reason,
    schemaId: key === null ? null : registryIdOf(key),
  };
}

function copy(positions: RecordPositions, start: number, length: number): Uint8Array | null {
  return length < 0 ? null : positions.bytes.slice(start, start + length);
}
