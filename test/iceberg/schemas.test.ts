import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { manifestListSchema, manifestSchema } from '../../src/iceberg/manifest-schema.ts';

/** The partition record depends on the table's spec: the published files show a table by day. */
const byDay = [{ id: 1000, name: 'at_day', type: 'date' as const }];

it.each<[string, unknown]>([
  ['manifest-v2', manifestSchema(byDay, 2)],
  ['manifest-v3', manifestSchema(byDay, 3)],
  ['manifest-list-v2', manifestListSchema(2)],
  ['manifest-list-v3', manifestListSchema(3)],
])('schemas/iceberg/%s.avsc is what is written (UPDATE_SCHEMAS=1 writes it anew)', async (name, schema) => {
  const file = join(import.meta.dirname, '../../schemas/iceberg', `${name}.avsc`);
  const text = `${JSON.stringify(schema, null, 2)}\n`;
  if (process.env['UPDATE_SCHEMAS'] === '1') await writeFile(file, text);
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(JSON.parse(text));
});
