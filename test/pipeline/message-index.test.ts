import { describe, expect, test } from 'vitest';
import type { FormatOptions } from '../../src/config/config.ts';
import { RecordPart } from '../../src/pipeline/record-part.ts';
import { positionsOf } from '../decode/rows.ts';

function partOf(format: FormatOptions['format']): RecordPart {
  const options: FormatOptions = {
    format,
    schema: 'id',
    subject: null,
    subjectNameStrategy: 'topic',
    message: null,
    refresh: 30_000,
  };
  const open = {
    type: 'table',
    table: 3,
    options: {} as never,
    isolation: 'read_committed',
    maxBatchBytes: 1,
  } as const;
  return new RecordPart(open, 'value', options, () => undefined);
}

/** The second message of schema 7, twice, and its first. */
const records = [
  [0, 0, 0, 0, 7, 2, 2, 65],
  [0, 0, 0, 0, 7, 2, 2, 66],
  [0, 0, 0, 0, 7, 0, 67],
].map((bytes) => Uint8Array.from(bytes));

describe('which message a record is', () => {
  test('is asked for with the schema, one question for each message', () => {
    const part = partOf('protobuf');
    const positions = positionsOf(records);
    expect(part.nextRun('t', positions, 0, 3)).toBe(2);
    const [second, { key }] = [part.schemaQuestion('t'), { key: part.schemaKey }];
    expect(second).toMatchObject({ type: 'need-schema', table: 3, guid: null, index: [1], topic: 't' });
    expect(part.nextRun('t', positions, 2, 3)).toBe(3);
    expect(part.schemaQuestion('t')).toMatchObject({ index: [0] });
    expect(part.schemaKey).not.toBe(key);
    expect([...positions.payloadLength.subarray(0, 3)]).toEqual([1, 1, 1]);
  });

  test('with `auto` is read once the registry has said that the schema is Protobuf', () => {
    const part = partOf('auto');
    const positions = positionsOf(records);
    expect(part.nextRun('t', positions, 0, 3)).toBe(3);
    expect(part.schemaQuestion('t')).toMatchObject({ key: 7, index: null });
    part.answer({ part: 'value', key: 7, indexed: true });
    expect(part.nextRun('t', positions, 0, 3)).toBe(2);
    expect(part.isKnown).toBe(false);
    expect(part.schemaQuestion('t')).toMatchObject({ index: [1] });
    part.answer({ part: 'value', key: part.schemaKey, refused: { code: 'SCHEMA_UNSUPPORTED', reason: 'no' } });
    expect(part.refusal).toMatchObject({ reason: 'no' });
    // The other message of the schema is not refused with it.
    part.nextRun('t', positions, 2, 3);
    expect(part.refusal).toBe(null);
  });
});
