import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ColumnBatch } from '../../src/columns/batch.ts';
import { writeAppend } from '../../src/iceberg/append.ts';
import type { Catalog, LoadedTable, TableIdent } from '../../src/iceberg/catalog.ts';
import { createCatalog } from '../../src/iceberg/catalog-factory.ts';
import { readManifest, writeManifest } from '../../src/iceberg/manifest.ts';
import { readManifestList } from '../../src/iceberg/manifest-list.ts';
import type { DataFile } from '../../src/iceberg/manifest-types.ts';
import { currentSchema, defaultSpec } from '../../src/iceberg/metadata.ts';
import type { FileIO } from '../../src/io/file-io.ts';
import { createFileIO } from '../../src/io/file-io-factory.ts';
import { createParquetWriter } from '../../src/parquet/writer.ts';
import { systemPorts } from '../../src/ports.ts';
import { dirOf, install } from '../real/parts.ts';
import type { CatalogAccess } from '../real/readers.ts';
import { readers } from '../real/readers.ts';
import { sharedStack } from '../real/shared.ts';

const { s3, catalog: rest } = sharedStack();
const storage = {
  s3: {
    endpoint: s3.endpoint,
    region: s3.region,
    pathStyle: true,
    accessKeyId: s3.accessKey,
    secretAccessKey: s3.secretKey,
  },
};
const DAY = Date.UTC(2026, 0, 1) / 86_400_000;

interface Rows {
  readonly first: number;
  readonly day: number;
  readonly region: string | null;
}

/** Ten rows of one partition in a Parquet file. */
async function dataFile(io: FileIO, { metadata }: LoadedTable, { first, day, region }: Rows): Promise<DataFile> {
  const schema = currentSchema(metadata);
  const batch = new ColumnBatch(schema);
  const [id, at, place] = batch.columns;
  for (let i = 0; i < 10; i++) {
    for (const column of [id!, at!, place!]) column.reserve(1);
    const micros = BigInt(day) * 86_400_000_000n + BigInt(first + i);
    for (const [column, value] of [
      [id!, BigInt(first + i)],
      [at!, micros],
    ] as const) {
      column.i32[2 * i] = Number(BigInt.asIntN(32, value));
      column.i32[2 * i + 1] = Number(value >> 32n);
      column.length = i + 1;
      if (column.validity) column.validity[i >> 3]! |= 1 << (i & 7);
    }
    if (region === null) {
      place!.appendNull();
    } else {
      const bytes = Buffer.from(region);
      place!.reserveBytes(bytes.length);
      place!.bytes.set(bytes, place!.offsets[i]);
      place!.offsets[i + 1] = place!.offsets[i]! + bytes.length;
      place!.length = i + 1;
      place!.validity![i >> 3]! |= 1 << (i & 7);
    }
  }
  batch.rows = 10;
  const location = `${metadata.location}/data/${systemPorts.ids.uuid()}.parquet`;
  const parts: Uint8Array[] = [];
  const writer = createParquetWriter(
    schema,
    {
      compression: 'zstd',
      compressionLevel: 3,
      rowGroupSize: 1 << 20,
      pageSize: 1 << 16,
      dictionarySize: 1 << 16,
      fullMetrics: [],
      metadata: {},
    },
    { write: (bytes) => void parts.push(bytes) },
  );
  writer.write(batch);
  const metrics = writer.finish();
  await io.write(location, Buffer.concat(parts));
  const spec = defaultSpec(metadata);
  const partition = new Map(spec.fields.map((field) => [field['field-id'], field.transform === 'day' ? day : region]));
  return { content: 0, location, format: 'PARQUET', partition, sortOrderId: 0, ...metrics };
}

async function append(catalog: Catalog, io: FileIO, ident: TableIdent, rows: readonly Rows[]): Promise<LoadedTable> {
  const table = (await catalog.loadTable(ident, 'refs'))!;
  const { metadata } = table;
  const files = await Promise.all(rows.map((some) => dataFile(io, table, some)));
  const entries = files.map((file) => ({
    status: 1,
    snapshotId: null,
    sequenceNumber: null,
    fileSequenceNumber: null,
    file,
  }));
  const metadataLocation = (name: string): string => `${metadata.location}/metadata/${name}`;
  const options = {
    schema: currentSchema(metadata),
    spec: defaultSpec(metadata),
    formatVersion: metadata['format-version'],
  };
  const manifests =
    rows.length === 0
      ? []
      : [await writeManifest(io, metadataLocation(`${systemPorts.ids.uuid()}-m0.avro`), entries, options)];
  const { requirements, updates } = await writeAppend(io, systemPorts.ids, {
    metadata,
    branch: 'main',
    manifests,
    metadataLocation,
    snapshotId: systemPorts.ids.long(),
    now: Date.now(),
    attempt: 0,
    summary: { 'tabletopic.offsets': '{}' },
    added: {
      files: files.length,
      records: files.length * 10,
      size: files.reduce((sum, file) => sum + file.fileSize, 0),
      partitions: files.length,
    },
  });
  const outcome = await catalog.commit(ident, { requirements, updates, idempotencyKey: systemPorts.ids.uuid() });
  if (outcome.outcome !== 'committed') throw new Error(`not committed: ${JSON.stringify(outcome)}`);
  return outcome.table;
}

const request = {
  schema: {
    type: 'struct' as const,
    'schema-id': 0,
    fields: [
      { id: 1, name: 'id', required: false, type: 'long' as const },
      { id: 2, name: 'at', required: false, type: 'timestamptz' as const },
      { id: 3, name: 'region', required: false, type: 'string' as const },
    ],
  },
  spec: {
    'spec-id': 0,
    fields: [
      { 'source-id': 2, 'field-id': 1000, name: 'at_day', transform: 'day' },
      { 'source-id': 3, 'field-id': 1001, name: 'region', transform: 'identity' },
    ],
  },
};

/** By region alone: PyIceberg cannot write day partitions without its native part. */
const byRegion = {
  ...request,
  spec: { 'spec-id': 0, fields: [{ 'source-id': 3, 'field-id': 1000, name: 'region', transform: 'identity' }] },
  properties: {},
};

/** Four files: ids 0–9 on the first day in eu, 10–19 on the second in eu, 20–29 there without region, 30–39 on the third in us. */
const files: readonly Rows[] = [
  { first: 0, day: DAY, region: 'eu' },
  { first: 10, day: DAY + 1, region: 'eu' },
  { first: 20, day: DAY + 1, region: null },
  { first: 30, day: DAY + 2, region: 'us' },
];

/** A filter as PyIceberg and Spark read it, the files that hold matches, and the matches. */
const filters: readonly [text: string, files: number, rows: number][] = [
  ["at < '2026-01-02T00:00:00+00:00'", 1, 10],
  ["at >= '2026-01-02T00:00:00+00:00' and at < '2026-01-03T00:00:00+00:00'", 2, 20],
  ["region = 'eu'", 2, 20],
  ["region = 'ap'", 0, 0],
  ['region is null', 1, 10],
  ['id >= 25 and id < 33', 2, 8],
  ['id = 15', 1, 1],
  ['id > 1000', 0, 0],
];

interface Query {
  readonly action: 'plan' | 'append' | 'create' | 'spark';
  readonly catalog: CatalogAccess;
  readonly table: string;
  readonly filters?: readonly string[];
  readonly ids?: readonly number[];
}

async function engine<T>(query: Query): Promise<T> {
  const spark = query.action === 'spark';
  const python = join(dirOf(spark ? 'spark' : 'readers'), 'bin', 'python');
  const child = spawn(python, [join(import.meta.dirname, 'engines.py'), JSON.stringify(query)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      TZ: 'UTC',
      PYTHONDONTWRITEBYTECODE: '1',
      ...(spark && { SPARK_JARS: dirOf('sparkJars'), SPARK_LOCAL_IP: '127.0.0.1' }),
    },
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (part: Buffer) => (out += part.toString()));
  child.stderr.on('data', (part: Buffer) => (err += part.toString()));
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code !== 0) throw new Error(err.slice(-4000));
  return JSON.parse(out.trim().split('\n').at(-1)!) as T;
}

beforeAll(() => install(['readers', 'spark', 'sparkJars']));
afterAll(() => readers.close());

describe('a table of ours in the REST catalog', () => {
  const namespace = [`e${Date.now().toString(36)}`];
  const ident = { namespace, name: 'events' };
  const table = `${namespace[0]}.events`;
  const access: CatalogAccess = { type: 'rest', uri: rest.uri, s3 };
  const io = createFileIO(storage, systemPorts.ids);
  const catalog = createCatalog(
    'rest',
    { type: 'rest', uri: rest.uri, warehouse: rest.warehouse, requestTimeout: 30_000 },
    io,
    systemPorts,
  );

  beforeAll(async () => {
    await catalog.connect();
    await catalog.createNamespace(namespace);
    await catalog.createTable(ident, { ...request, properties: { 'commit.manifest.min-count-to-merge': '3' } });
    await append(catalog, io, ident, []);
    await append(catalog, io, ident, files.slice(0, 1));
    await append(catalog, io, ident, files.slice(1, 3));
    await append(catalog, io, ident, files.slice(3));
  });
  afterAll(async () => {
    await catalog.close();
    await io.close();
  });

  it('had its manifests merged on the way', async () => {
    const { metadata } = (await catalog.loadTable(ident, 'all'))!;
    const list = await readManifestList(io, metadata.snapshots!.at(-1)!['manifest-list']!);
    expect(list.map((manifest) => [manifest.addedFiles, manifest.existingFiles])).toEqual([
      [1, 0],
      [0, 3],
    ]);
  });

  it('is planned by PyIceberg file by file, by partition and bounds', async () => {
    const plans = await engine<{ files: number; rows: number }[]>({
      action: 'plan',
      catalog: access,
      table,
      filters: filters.map(([text]) => text),
    });
    expect(plans.map((plan, i) => [filters[i]![0], plan.files, plan.rows])).toEqual(filters);
  });

  it('gives Spark the right rows for each filter, and the sequence numbers of the commits', async () => {
    const found = await engine<{ rows: number[]; entries: [number, number][] }>({
      action: 'spark',
      catalog: access,
      table,
      filters: filters.map(([text]) => text),
    });
    expect(found.rows).toEqual(filters.map(([, , rows]) => rows));
    expect(found.entries.toSorted((a, b) => a[1] - b[1])).toEqual([
      [0, 2],
      [0, 3],
      [0, 3],
      [1, 4],
    ]);
  });

  it.each(readers.engines)('is read whole by %s', async (name) => {
    const reading = await readers.read(name, { catalog: access, table, columns: ['id', 'region'] });
    expect(reading.rows).toBe(40);
    expect(reading.columns['id']).toMatchObject({ min: 0, max: 39, sum: 780 });
  });

  it('takes an append of PyIceberg and goes on after it', async () => {
    const shared = { namespace, name: 'shared' };
    const name = `${namespace[0]}.shared`;
    await catalog.createTable(shared, byRegion);
    await append(catalog, io, shared, []);
    await append(catalog, io, shared, files.slice(0, 1));
    await engine({ action: 'append', catalog: access, table: name, ids: [100, 101] });
    const after = await append(catalog, io, shared, files.slice(1, 2));
    const list = await readManifestList(io, after.metadata.snapshots!.at(-1)!['manifest-list']!);
    const entries = (await Promise.all(list.map((manifest) => readManifest(io, manifest)))).flat();
    expect(entries.reduce((sum, entry) => sum + entry.file.recordCount, 0)).toBe(22);
    const foreign = entries.find((entry) => entry.file.recordCount === 2)!;
    expect(foreign.file.partition).toEqual(new Map([[1000, 'py']]));
    expect((await readers.pyiceberg({ catalog: access, table: name, columns: ['id'] })).rows).toBe(22);
  });
});

describe('an SQLite catalog shared with PyIceberg', () => {
  let dir: string;
  let access: CatalogAccess;
  let catalog: Catalog;
  const io = createFileIO(storage, systemPorts.ids);

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tabletopic-shared-'));
    access = { type: 'sql', uri: `sqlite:${dir}/catalog.db`, name: 'lake', warehouse: `file:${dir}/warehouse` };
    catalog = createCatalog(
      'sql',
      { type: 'sql', uri: access.uri, catalogName: 'lake', warehouse: access.warehouse },
      io,
      systemPorts,
    );
    await catalog.connect();
    await catalog.createNamespace(['shop']);
  });
  afterAll(async () => {
    await catalog.close();
    await rm(dir, { recursive: true });
  });

  it('holds a table of ours to which both append', async () => {
    const ident = { namespace: ['shop'], name: 'orders' };
    await catalog.createTable(ident, byRegion);
    await append(catalog, io, ident, []);
    await append(catalog, io, ident, files.slice(0, 2));
    await engine({ action: 'append', catalog: access, table: 'shop.orders', ids: [100, 101, 102] });
    await append(catalog, io, ident, files.slice(2));
    const plans = await engine<{ files: number; rows: number }[]>({
      action: 'plan',
      catalog: access,
      table: 'shop.orders',
      filters: ['id >= 0', "region = 'py'", "region = 'eu'"],
    });
    expect(plans).toEqual([
      { files: 5, rows: 43 },
      { files: 1, rows: 3 },
      { files: 2, rows: 20 },
    ]);
    expect((await readers.duckdb({ catalog: access, table: 'shop.orders', columns: ['id'] })).rows).toBe(43);
  });

  it('holds a table that PyIceberg made and we open', async () => {
    await engine({ action: 'create', catalog: access, table: 'shop.made', ids: [] });
    expect((await catalog.listTables(['shop'])).map(({ name }) => name)).toContain('made');
    const { metadata } = (await catalog.loadTable({ namespace: ['shop'], name: 'made' }, 'all'))!;
    expect(currentSchema(metadata).fields.map((field) => [field.id, field.name, field.type])).toEqual([
      [1, 'id', 'long'],
      [2, 'region', 'string'],
    ]);
    const list = await readManifestList(io, metadata.snapshots!.at(-1)!['manifest-list']!);
    expect((await readManifest(io, list[0]!))[0]!.file.recordCount).toBe(1);
    const outcome = await catalog.commit(
      { namespace: ['shop'], name: 'made' },
      { requirements: [], updates: [{ action: 'set-properties', updates: { seen: 'yes' } }], idempotencyKey: 'k' },
    );
    expect(outcome.outcome).toBe('committed');
    const plans = await engine<{ rows: number }[]>({
      action: 'plan',
      catalog: access,
      table: 'shop.made',
      filters: ['id = 1'],
    });
    expect(plans[0]!.rows).toBe(1);
  });
});
