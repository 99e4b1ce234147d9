import { expect, test } from 'vitest';
import type { TableRule } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/load.ts';
import type { ConfigError } from '../../src/config/problem.ts';

function rule(text: string): TableRule {
  const head = 'kafka: { brokers: [localhost:9092] }\ncatalogs: { lake: { type: rest, uri: http://localhost:8181 } }\n';
  const file = `${head}tables:\n  - topic: shop.orders\n    ${text}\n`;
  return parseConfig(file, { env: {}, directory: '/etc/tabletopic', file: 'tabletopic.yaml' }).tables[0]!;
}

function problem(text: string): string {
  try {
    rule(text);
  } catch (error) {
    return (error as ConfigError).problems.map(({ path, reason }) => `${path}: ${reason}`).join('\n');
  }
  throw new Error('the configuration was accepted');
}

test('columns of JSON: types by dotted path, places kept as text or map, a cap', () => {
  expect(rule('value: json')).toMatchObject({ columns: {}, jsonColumns: {}, maxColumns: 1000 });
  expect(
    rule(
      'columns: { paid_at: timestamptz, customer.id: uuid, n: "decimal(10,2)" }\n' +
        '    jsonColumns: { attrs: json, labels: map }\n    maxColumns: 20',
    ),
  ).toMatchObject({
    columns: { paid_at: 'timestamptz', 'customer.id': 'uuid', n: 'decimal(10, 2)' },
    jsonColumns: { attrs: 'json', labels: 'map' },
    maxColumns: 20,
  });
});

test('nanoseconds need format version 3', () => {
  expect(rule('formatVersion: 3\n    nanos: native')).toMatchObject({ formatVersion: 3, nanos: 'native' });
  expect(rule('formatVersion: 3\n    columns: { a: timestamp_ns, b: timestamptz_ns }').columns).toEqual({
    a: 'timestamp_ns',
    b: 'timestamptz_ns',
  });
  expect(rule('value: json').formatVersion).toBe(2);
});

test.each([
  ['nanos: native', /nanos: is native, and formatVersion 2 has no nanoseconds/],
  ['columns: { a: timestamptz_ns }', /columns\.a: is timestamptz_ns, which formatVersion 2 lacks/],
  ['formatVersion: 4', /formatVersion/],
  ["properties: { format-version: '3' }", /format-version: is an option of its own/],
  ['columns: { a: datetime }', /columns\.a: .*datetime.* is no column type/],
  ['columns: { a: auto }', /is no column type/],
  ['columns: { a: "decimal(39, 0)" }', /is no column type/],
  ['jsonColumns: { a: text }', /jsonColumns\.a/],
  ['maxColumns: 0', /maxColumns/],
  ['columns: { a: date }\n    jsonColumns: { a: json }', /columns\.a: stands in jsonColumns too/],
])('refused: %s', (text, reason) => {
  expect(problem(text)).toMatch(reason);
});
