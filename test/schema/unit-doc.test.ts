import { describe, expect, test } from 'vitest';
import { deriveChange } from '../../src/schema/derive.ts';
import type { ChangeRules } from '../../src/schema/derive.ts';
import { convertProtobuf } from '../../src/schema/protobuf.ts';
import type { ProtobufOptions } from '../../src/schema/protobuf.ts';
import type { Schema } from '../../src/schema/types.ts';

const text = `syntax = "proto3"; package shop; import "google/protobuf/duration.proto"; message Trip {
  google.protobuf.Duration took = 1; repeated google.protobuf.Duration stops = 2; google.protobuf.Duration _kafka = 3; int64 id = 4;
}`;

const empty: Schema = { type: 'struct', 'schema-id': 0, fields: [] };

function derived(
  current: Schema,
  nanos: ProtobufOptions['nanos'],
  onIncompatible: ChangeRules['onIncompatible'] = 'dead-letter',
): ReturnType<typeof deriveChange> {
  const { struct } = convertProtobuf(text, {}, null, { nanos, uint64: 'decimal' });
  return deriveChange(
    { schemas: [current], current, lastColumnId: 100, history: {} },
    { part: 'value', struct, aliases: {} },
    { onIncompatible, onDropped: 'stop' },
  );
}

const columns = ({ fields }: Schema): unknown[] => fields.map(({ name, doc }) => [name, doc]);

describe('durations, longs of either unit', () => {
  test('the doc of a column says which', () => {
    expect(columns(derived(empty, 'micros').schema)).toEqual([
      ['took', 'Unit: microseconds.'],
      ['stops', 'Unit: microseconds.'],
      ['_kafka_2', 'Source name: "_kafka". Unit: microseconds.'],
      ['id', undefined],
    ]);
    expect(columns(derived(empty, 'native').schema)[0]).toEqual(['took', 'Unit: nanoseconds.']);
  });

  test('the same unit fits', () => {
    const { schema } = derived(empty, 'long');
    expect(derived(schema, 'native')).toMatchObject({ schema, incompatible: [], changes: [] });
  });

  test('nanoseconds never come into a column of microseconds, at no level', () => {
    const { schema } = derived(empty, 'micros');
    const after = derived(schema, 'long');
    expect(after.schema).toEqual(schema);
    expect(after.incompatible.map(({ path, from, to }) => [path, from, to])).toEqual([
      ['took', 'long of microseconds', 'long of nanoseconds'],
      ['stops', 'list<long> of microseconds', 'list<long> of nanoseconds'],
      ['_kafka_2', 'long of microseconds', 'long of nanoseconds'],
    ]);
    expect(after.bound.fields.map(({ id }) => id > 0)).toEqual([false, false, false, true]);
  });

  test('new-column: they get columns of their own, and microseconds go on in theirs', () => {
    const { schema } = derived(empty, 'micros');
    const after = derived(schema, 'long', 'new-column').schema;
    expect(columns(after).slice(4)).toEqual([
      ['took_long', 'Unit: nanoseconds.'],
      ['stops_list', 'Unit: nanoseconds.'],
      ['_kafka_2_long', undefined],
    ]);
    expect(derived(after, 'micros')).toMatchObject({ incompatible: [], changes: [] });
    expect(derived(after, 'long', 'new-column')).toMatchObject({ incompatible: [], changes: [] });
  });

  test('a column without a unit is taken as it is: others made it, or an earlier version', () => {
    const { schema } = derived(empty, 'micros');
    const plain = { ...schema, fields: schema.fields.map(({ doc: _, ...field }) => field) };
    expect(derived(plain, 'long').incompatible.map(({ path }) => path)).toEqual([]);
  });
});
