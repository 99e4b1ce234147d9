import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ColumnBatch } from '../../src/columns/batch.ts';
import type { BoundSchema } from '../../src/decode/decoder.ts';
import { makeDecoder } from '../../src/decode/factory.ts';
import type { DecoderOptions } from '../../src/decode/factory.ts';
import type { NestedField, Schema } from '../../src/schema/types.ts';
import { breaches, positionsOf, rowsOf } from './rows.ts';

const options: DecoderOptions = {
  timeOfDay: 'time',
  nanos: 'micros',
  unions: 'optional',
  uint64: 'decimal',
  numbers: 'auto',
  columns: {},
  jsonColumns: {},
  maxColumns: 1_000,
};
const value = (type: 'string' | 'binary'): NestedField => ({ id: 1, name: 'value', required: false, type });
const offset: NestedField = {
  id: 8,
  name: '_kafka',
  required: true,
  type: { type: 'struct', fields: [{ id: 9, name: 'offset', required: true, type: 'long' }] },
};

describe('formats without a schema', () => {
  test.each(['string', 'bytes'] as const)(
    '%s: one column; the service’s columns are left alone, others are null',
    (format) => {
      const field = value(format === 'string' ? 'string' : 'binary');
      const layout: Schema = {
        type: 'struct',
        'schema-id': 0,
        fields: [field, offset, { id: 2, name: 'other', required: false, type: 'long' }],
      };
      const batch = new ColumnBatch(layout);
      const decoder = makeDecoder(
        { format, text: '', references: {}, struct: { type: 'struct', fields: [field] } },
        layout,
        options,
      );
      const bytes = [Uint8Array.from([0x68, 0xc3, 0xa9]), null, new Uint8Array(0), Uint8Array.from([0xff])];
      const taken = decoder.decode(positionsOf(bytes), 0, 4, batch);
      expect(taken).toBe(format === 'string' ? 3 : 4);
      if (format === 'string') expect(decoder.failure.code).toBe('DECODE_TEXT');
      expect(batch.columns[1]!.length).toBe(0);
      batch.columns[1]!.reserve(taken);
      for (let i = 0; i < taken; i++) batch.columns[1]!.appendNull();
      expect(breaches(batch, taken)).toEqual([]);
      expect(rowsOf(batch, taken).map((row) => [row['value'], row['other']])).toEqual([
        [format === 'string' ? 'hé' : '68c3a9', null],
        [null, null],
        ['', null],
        ...(format === 'string' ? [] : [['ff', null]]),
      ]);
    },
  );

  test.each([
    ['json', '{"a":1}', { a: 1n, value: null }],
    ['string', 'k', { a: null, value: 'k' }],
  ] as const)('a key as %s fills _key', (format, text, wanted) => {
    const inner: NestedField[] = [{ id: 3, name: 'a', required: false, type: 'long' }, value('string')];
    const layout: Schema = {
      type: 'struct',
      'schema-id': 0,
      fields: [{ id: 4, name: '_key', required: false, type: { type: 'struct', fields: inner } }],
    };
    const batch = new ColumnBatch(layout);
    const bound: BoundSchema = { format, text: '', references: {}, struct: { type: 'struct', fields: inner } };
    expect(
      makeDecoder(bound, layout, options, 'key').decode(
        positionsOf([new TextEncoder().encode(text), null]),
        0,
        2,
        batch,
      ),
    ).toBe(2);
    expect(breaches(batch, 2)).toEqual([]);
    expect(rowsOf(batch, 2)).toEqual([{ _key: wanted }, { _key: null }]);
  });
});

test('where code may not be generated, Avro is interpreted', () => {
  const script = `
    import { makeAvroDecoder } from ${JSON.stringify(new URL('../../src/decode/avro.ts', import.meta.url).href)};
    const layout = { type: 'struct', 'schema-id': 0, fields: [{ id: 1, name: 'value', required: false, type: 'long' }] };
    const decoder = makeAvroDecoder({ format: 'avro', text: '"long"', references: {}, struct: layout }, layout, { timeOfDay: 'time', nanos: 'micros', unions: 'optional' });
    process.stdout.write(decoder.constructor.name);`;
  const run = (...flags: string[]): string =>
    execFileSync(process.execPath, [...flags, '--input-type=module', '-e', script], {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      encoding: 'utf8',
    });
  expect([run(), run('--disallow-code-generation-from-strings')]).toEqual(['CompiledAvro', 'InterpretedAvro']);
});
