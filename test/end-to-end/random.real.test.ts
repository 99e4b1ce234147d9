import '../seed.ts';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { convertAvro } from '../../src/schema/avro.ts';
import { convertJsonSchema } from '../../src/schema/json-schema.ts';
import { convertProtobuf } from '../../src/schema/protobuf.ts';
import type { StructType } from '../../src/schema/types.ts';
import { avscType, recordSamples } from '../decode/avro-samples.ts';
import { nodeOf, nullable, object } from '../decode/json-samples.ts';
import { typeOf } from '../decode/protobuf-lab.ts';
import { encode, messageSample } from '../decode/protobuf-samples.ts';
import { python } from '../real/readers.ts';
import { cellOf, sorted } from './cells.ts';
import { register, withId } from './registry-client.ts';
import { scene } from './scene.ts';

// Random schemas, each a column of one wide table per format: what a reference library writes is what PyIceberg reads. That
// both decoders read it so too is in test/decode.

/** Schemas of each format, and rows of them (JSON: each schema has one value). */
const SCHEMAS = 100;
const ROWS = 6;

interface Written {
  readonly schema: object | string;
  readonly struct: StructType;
  readonly payloads: readonly Uint8Array[];
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

const { stack, files, catalog, producer } = scene();
const options = { timeOfDay: 'time', nanos: 'micros', unions: 'optional', uint64: 'decimal', jsonColumns: {} } as const;
const columns = [...Array(SCHEMAS).keys()].map((i) => `s${i}`);

/** So many values, always the same. */
function draw<T>(arbitrary: fc.Arbitrary<T>, count: number, salt: number): T[] {
  const { seed = 0 } = fc.readConfigureGlobal();
  return fc.sample(arbitrary, { numRuns: count, seed: seed + salt });
}

function byColumn<T>(of: (column: string, i: number) => T): Record<string, T> {
  return Object.fromEntries(columns.map((column, i) => [column, of(column, i)]));
}

function avro(): Written {
  const samples = columns.map((column, i) => draw(recordSamples(column), 1, i)[0]!);
  const fields = columns.map((name, i) => ({ name, type: samples[i]!.schema }));
  const schema = { type: 'record', name: 'Random', fields };
  const values = samples.map((sample, i) => draw(sample.value, ROWS, i));
  const type = avscType(schema);
  const payloads = [...Array(ROWS).keys()].map((k) => type.toBuffer(byColumn((_, i) => values[i]![k])));
  const rows = payloads.map((bytes) => {
    const decoded = type.fromBuffer(bytes) as Record<string, never>;
    return byColumn((column, i) => samples[i]!.expect(decoded[column]!));
  });
  return { schema, struct: convertAvro(JSON.stringify(schema), {}, options).struct, payloads, rows };
}

function protobuf(): Written {
  const samples = draw(messageSample, SCHEMAS, 0);
  const lines = samples.map(({ text }) => text.split('\n'));
  const isHead = (line: string): boolean => /^(syntax|import) /.test(line);
  const schema = [
    ...lines[0]!.filter(isHead),
    'message Random {',
    ...columns.map((column, i) => `In_${column}.Root ${column} = ${i + 1};`),
    '}',
    // The messages of each within one of its own.
    ...lines.map((own, i) => `message In_${columns[i]} { ${own.filter((line) => !isHead(line)).join('\n')} }`),
  ].join('\n');
  const values = samples.map((sample, i) => draw(sample.value, ROWS, i));
  const type = typeOf(schema);
  const rows = [...Array(ROWS).keys()];
  return {
    schema,
    struct: convertProtobuf(schema, {}, null, options).struct,
    payloads: rows.map((k) =>
      Buffer.concat([
        Buffer.from([0]),
        encode(
          type,
          byColumn((_, i) => values[i]![k]),
        ),
      ]),
    ),
    rows: rows.map((k) => byColumn((_, i) => samples[i]!.expect(values[i]![k]!))),
  };
}

function jsonSchema(): Written {
  // No emoji: in a struct of a map PyIceberg does not find a field of such a name, which DuckDB does.
  const cases = draw(nullable(nodeOf('a', 'b', 'key.1', 'ключ', 'CamelCase')), SCHEMAS, 0);
  const schema = object(
    byColumn((_, i) => cases[i]!.schema),
    { $schema: 'https://json-schema.org/draft/2020-12/schema', $defs: { uuid: { type: 'string', format: 'uuid' } } },
  );
  return {
    schema,
    struct: convertJsonSchema(JSON.stringify(schema), {}, options).struct,
    payloads: [Buffer.from(JSON.stringify(byColumn((_, i) => cases[i]!.value)))],
    rows: [byColumn((_, i) => cases[i]!.row)],
  };
}

describe.each([
  { format: 'avro', type: 'AVRO', write: avro },
  { format: 'protobuf', type: 'PROTOBUF', write: protobuf },
  { format: 'json-schema', type: 'JSON', write: jsonSchema },
] as const)('$format', ({ format, type, write }) => {
  const { schema, struct, payloads, rows } = write();
  const topic = `random.${format.replace('-', '_')}`;

  beforeAll(async () => {
    await stack.topic.create(topic, 1);
    const id = await register(stack.registry.url, `${topic}-value`, schema, [], type);
    await producer.send({ topic, messages: payloads.map((payload) => ({ value: withId(id, payload) })) });
    await files.run(files.write(`random-${format}`, [{ topic }]), '--until-caught-up').ends();
  });

  test('is read equal', async () => {
    const query = { catalog, table: topic, columns, engines: ['pyiceberg'], raw: true };
    const { pyiceberg } = JSON.parse(await python('rows.py', JSON.stringify(query))) as { pyiceberg: unknown[] };
    const names = struct.fields.map(({ name }) => name);
    expect(names).toEqual(columns);
    expect(typeof pyiceberg === 'string' ? pyiceberg : pyiceberg.map(sorted)).toEqual(
      rows.map((row) => cellOf(struct, row)),
    );
  });
});
