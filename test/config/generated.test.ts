import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { describe, expect, test } from 'vitest';
import { generatedFiles } from '../../src/config/generate-schema.ts';
import { loadConfig, parseConfig } from '../../src/config/load.ts';
import { options } from '../../src/config/options.ts';

const root = join(import.meta.dirname, '..', '..');

describe('what is written from the options table is current (node src/config/generate-schema.ts writes it)', () => {
  test.each(Object.entries(generatedFiles(root)))('%s', (file, text) => {
    expect(readFileSync(join(root, file), 'utf8')).toBe(text);
  });
});

test('the example file is valid as it stands', () => {
  expect(loadConfig(join(root, 'deploy', 'tabletopic.example.yaml'), {}).tables[0]).toMatchObject({
    topic: 'shop.orders',
    catalog: 'lake',
  });
});

test('every top-level key is in the example file, and what it comments out is valid too', () => {
  const text = readFileSync(join(root, 'deploy', 'tabletopic.example.yaml'), 'utf8');
  for (const { key } of options) expect(text).toMatch(new RegExp(`^(# )?${key}:`, 'm'));
  // Everything of these sections, uncommented.
  for (const key of ['defaults', 'http', 'log']) {
    const section = new RegExp(`^# ${key}:\\n((?:  .*\\n)+)`, 'm').exec(text)![1]!;
    const lines = section
      .split('\n')
      .filter((line) => /^\s*# [A-Za-z0-9]+:( |$)/.test(line))
      .map((line) => line.replace('# ', ''));
    const body = parse(`${key}:\n${lines.join('\n')}`) as Record<string, unknown>;
    const config = parseConfig(
      JSON.stringify({
        kafka: { brokers: ['a:1'] },
        catalogs: { lake: { type: 'rest', uri: 'http://a' } },
        tables: [{ topic: 'a' }],
        ...body,
      }),
      { env: {}, directory: '/', file: key },
    );
    expect(config).toHaveProperty(key);
  }
});
