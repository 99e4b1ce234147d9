import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ServiceProcess } from '../end-to-end/service-process.ts';
import { python, readers } from '../real/readers.ts';

// The demo as users run it; the lines that it prints for PyIceberg and DuckDB are run as they stand.

const dir = mkdtempSync(join(tmpdir(), 'tabletopic-demo-test-'));

afterAll(async () => {
  await readers.close();
  rmSync(dir, { recursive: true, force: true });
});

describe('tabletopic demo', () => {
  test('ends by itself with one JSON object, and engines read its tables', async () => {
    const out = await new ServiceProcess(['demo', '--records', '3000', '--exit', '--json']).ends();
    const result = JSON.parse(out.trim().split('\n').at(-1)!) as Record<string, unknown> & {
      catalog: string;
      warehouse: string;
    };
    expect(result).toMatchObject({
      records: 3000,
      rows: 3000,
      verify: 'ok',
      tables: [
        { table: 'shop.orders', rows: 1500 },
        { table: 'shop.clicks', rows: 1500 },
      ],
    });
    const catalog = { type: 'sql' as const, uri: result.catalog, name: 'lake', warehouse: result.warehouse };
    for (const engine of readers.engines) {
      for (const table of ['shop.orders', 'shop.clicks']) {
        const reading = await readers.read(engine, { catalog, table, columns: [] });
        expect(reading.rows, `${engine} ${table}`).toBe(1500);
        expect(reading.kafka!.every(({ count, distinct }) => count === distinct)).toBe(true);
      }
    }
  });

  test('the printed lines can be pasted as they are', async () => {
    const out = await new ServiceProcess(['demo', '--records', '1000', '--exit']).ends();
    const lines = out.split('\n');
    const pyiceberg = lines.filter((line) => /SqlCatalog/.test(line)).map((line) => line.trim());
    const script = join(dir, 'paste.py');
    writeFileSync(script, [pyiceberg[0], `rows = ${pyiceberg[1]}`, 'print(rows.num_rows)', ''].join('\n'));
    expect((await python(script)).trim()).toBe('500');

    const selects = lines.flatMap((line) => /SELECT \* FROM iceberg_scan\('.*'\);/.exec(line)?.[0] ?? []);
    expect(selects).toHaveLength(2);
    const duckdb = join(dir, 'duck.py');
    const query = `print(len(c.sql("""${selects[0]}""").fetchall()), len(c.sql("""${selects[1]}""").fetchall()))`;
    // INSTALL would fetch the extensions; here they come from PyPI.
    const load = `import importlib, pathlib, duckdb
c = duckdb.connect()
for name in ("avro", "iceberg"):
    c.load_extension(str(next(pathlib.Path(importlib.import_module("duckdb_extension_" + name).__path__[0]).rglob("*.duckdb_extension*"))))`;
    writeFileSync(duckdb, [load, query, ''].join('\n'));
    expect((await python(duckdb)).trim()).toBe('500 500');
  });
});

test('Ctrl-C drains: what was read is in the tables', async () => {
  const demo = new ServiceProcess(['demo', '--port', '0']);
  await demo.says('committed');
  expect(await demo.kill('SIGINT')).toBe(0);
  expect(demo.stdout).toContain('verify: ok');
});
