import { beforeAll, describe, expect, test } from 'vitest';
import { reference } from '../real/formats.ts';
import { python, readers } from '../real/readers.ts';
import { Lake } from './lake.ts';
import { register, registerAvro, withId } from './registry-client.ts';
import { comparable, scene } from './scene.ts';
import type { Cells } from './scene.ts';

// The type table (README): what a format's reference libraries write is what PyIceberg, DuckDB and Spark read.

/** What the Python script of a format prints for each topic: see write_avro.py. */
interface Written {
  schemas: object[];
  columns: string[];
  json: string[];
  records: { schema: number; bytes: string; row: Cells | null; code: string | null }[];
}

/** A format takes part by a script, a way to register its schemas, and what becomes of nanoseconds that are refused. */
const formats = [
  { format: 'avro', script: 'write_avro.py', register: registerAvro, refused: 'SCHEMA_INCOMPATIBLE' },
  {
    format: 'json-schema',
    script: 'write_json_schema.py',
    register: (url: string, subject: string, schema: object) => register(url, subject, schema, [], 'JSON'),
    refused: 'VALUE_OUT_OF_RANGE',
  },
];

const { stack, files, catalog, producer } = scene();

describe.each(formats)('$format', ({ format, script, register: registered, refused: code }) => {
  let written: Record<string, Written>;
  const topicOf = (name: string): string => `types.${format.replace('-', '_')}_${name}`;
  const rowsOf = (name: string): Cells[] =>
    written[name]!.records.flatMap(({ row }) => (row ? [comparable(row, written[name]!.json)] : []));

  /** Rows of a table as engines read them, or what they say against it. */
  async function read(name: string, table: string): Promise<Record<string, Cells[] | string>> {
    const { columns, json } = written[name]!;
    const engines = ['pyiceberg', 'duckdb'];
    const found = JSON.parse(await python('rows.py', JSON.stringify({ catalog, table, columns, engines }))) as Record<
      string,
      Cells[] | string
    >;
    return Object.fromEntries(
      Object.entries(found).map(([engine, rows]) => [
        engine,
        typeof rows === 'string' ? rows : rows.map((row) => comparable(row, json)),
      ]),
    );
  }

  async function readBySpark(name: string, table: string, where?: string): Promise<Cells[]> {
    const { columns, json } = written[name]!;
    return (await readers.sparkRows({ catalog, table, columns, ...(where === undefined ? {} : { where }) })).map(
      (row) => comparable(row, json),
    );
  }

  beforeAll(async () => {
    written = JSON.parse(await reference(script)) as Record<string, Written>;
    for (const [name, { schemas, records }] of Object.entries(written)) {
      const topic = topicOf(name);
      await stack.topic.create(topic, 1, { 'max.message.bytes': String(32 << 20) });
      const ids: number[] = [];
      for (const schema of schemas) ids.push(await registered(stack.registry.url, `${topic}-value`, schema));
      for (const { schema, bytes } of records)
        await producer.send({ topic, messages: [{ value: withId(ids[schema]!, Buffer.from(bytes, 'base64')) }] });
    }
    const rules = Object.keys(written).flatMap((name) => [
      { topic: topicOf(name), value: { format } },
      // Spark cannot load a table with a time column.
      { topic: topicOf(name), table: `${topicOf(name)}_spark`, value: { format }, timeOfDay: 'long' },
    ]);
    const nanos = ['long', 'error'].map((option) => ({
      topic: topicOf('nanos'),
      table: `${topicOf('nanos')}_${option}`,
      value: { format },
      nanos: option,
    }));
    const config = files.write(`types-${format}`, [...rules, ...nanos]);
    await files.run(config, '--until-caught-up').ends();
  });

  test.each(['scalars', 'logicals', 'nested', 'names', 'wide'])('%s are read equal', async (name) => {
    const expected = rowsOf(name);
    const found = await read(name, topicOf(name));
    for (const [engine, rows] of Object.entries(found)) expect(rows, engine).toEqual(expected);
    const times = Object.keys(expected[0]!).filter((column) => String(expected[0]![column]).startsWith('T'));
    // A time of day as a long is its microseconds.
    const micros = (cell: unknown): unknown => {
      const m = /^T(\d\d):(\d\d):(\d\d)\.(\d{6})$/.exec(String(cell));
      return m ? `i${((Number(m[1]) * 60 + Number(m[2])) * 60 + Number(m[3])) * 1e6 + Number(m[4])}` : cell;
    };
    const asLong = expected.map((row) => ({
      ...row,
      ...Object.fromEntries(times.map((column) => [column, micros(row[column])])),
    }));
    expect(await readBySpark(name, `${topicOf(name)}_spark`), 'spark').toEqual(asLong);
  });

  test('what no column can hold is a dead letter with its reason, and nothing else is', async () => {
    const expected = written['scalars']!.records.flatMap(({ code }, offset) =>
      code === null ? [] : [{ offset, error_code: code }],
    );
    expect(expected.length).toBeGreaterThan(5);
    const found = await new Lake(catalog).rows(`${topicOf('scalars')}_dead_letters`, {
      columns: ['offset', 'error_code'],
    });
    expect(found.sort((a, b) => Number(a['offset']) - Number(b['offset']))).toEqual(expected);
  });

  test('nanoseconds: cut down to microseconds and counted, as a long, or refused', async () => {
    const nanos = (cell: unknown): bigint => {
      const m = /^t(.{19})\.(\d{9})/.exec(String(cell))!;
      return BigInt(Date.parse(`${m[1]!}Z`)) * 1_000_000n + BigInt(m[2]!);
    };
    const expected = rowsOf('nanos');
    expect(expected.length).toBeGreaterThan(10);
    // Rounded down: the last three of the nine digits go.
    const each = (change: (cell: unknown) => string): Cells[] =>
      expected.map((row) => Object.fromEntries(Object.entries(row).map(([name, cell]) => [name, change(cell)])));
    const cut = each((cell) => String(cell).replace(/\d{3}(Z?)$/, '$1'));
    const long = each((cell) => `i${nanos(cell)}`);
    expect(await read('nanos', topicOf('nanos'))).toEqual({ pyiceberg: cut, duckdb: cut });
    expect(await read('nanos', `${topicOf('nanos')}_long`)).toEqual({ pyiceberg: long, duckdb: long });
    const refused = await new Lake(catalog).rows(`${topicOf('nanos')}_error_dead_letters`, { columns: ['error_code'] });
    expect(refused).toEqual(expected.map(() => ({ error_code: code })));
  });

  test('Spark finds a uuid by its value', async () => {
    for (const uid of new Set(rowsOf('logicals').map((row) => String(row['uid']).slice(1)))) {
      const table = `${topicOf('logicals')}_spark`;
      const rows = await readBySpark('logicals', table, `uid = '${uid}'`);
      expect(rows.map((row) => row['uid'])).toEqual(
        rowsOf('logicals').flatMap((row) => (row['uid'] === `s${uid}` ? [row['uid']] : [])),
      );
    }
  });
});
