import { describe, expect, it } from 'vitest';
import { decodeAvro } from '../../src/iceberg/avro-file.ts';
import { decodeManifest, encodeManifest, readManifest, writeManifest } from '../../src/iceberg/manifest.ts';
import { encodeManifestList, readManifestList } from '../../src/iceberg/manifest-list.ts';
import type { DataFile, ManifestEntry } from '../../src/iceberg/manifest-types.ts';
import type { PartitionSpec } from '../../src/iceberg/metadata.ts';
import { MemoryFileIO } from '../../src/io/memory.ts';
import { systemPorts } from '../../src/ports.ts';
import type { Schema } from '../../src/schema/types.ts';

const types = [
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'string',
  'uuid',
  'binary',
  'fixed[3]',
  'decimal(9, 2)',
  'decimal(38, 10)',
  'timestamp_ns',
  'timestamptz_ns',
] as const;
const schema: Schema = {
  type: 'struct',
  'schema-id': 4,
  fields: types.map((type, i) => ({ id: i + 1, name: `c ${type}`, required: false, type })),
};
const spec: PartitionSpec = {
  'spec-id': 3,
  fields: [
    ...types.map((type, i) => ({ 'source-id': i + 1, 'field-id': 1000 + i, name: `c ${type}`, transform: 'identity' })),
    { 'source-id': 9, 'field-id': 1100, name: 'ts_day', transform: 'day' },
    { 'source-id': 10, 'field-id': 1101, name: 'b', transform: 'bucket[16]' },
  ],
};
const values = [
  true,
  -5,
  -(2n ** 62n) - 1n,
  1.5,
  -2.5,
  19000,
  86_399_999_999n,
  1n,
  2n ** 53n + 1n,
  'ü €',
  new Uint8Array(16).fill(200),
  Uint8Array.of(0, 255),
  Uint8Array.of(1, 2, 3),
  Uint8Array.of(0xff, 0x00),
  Uint8Array.of(0x7f, 1),
  -(2n ** 63n),
  1_700_000_000_123_456_789n,
  19000,
  7,
];
const ids = spec.fields.map((field) => field['field-id']);

function dataFile(overrides: Partial<DataFile> = {}): DataFile {
  return {
    content: 0,
    location: 's3://b/t/data/1.parquet',
    format: 'PARQUET',
    partition: new Map(ids.map((id, i) => [id, values[i]!])),
    recordCount: 3,
    fileSize: 1234,
    columnSizes: new Map([
      [1, 100],
      [2, 2 ** 40],
    ]),
    valueCounts: new Map([[1, 3]]),
    nullCounts: new Map([[1, 0]]),
    nanCounts: new Map(),
    lowerBounds: new Map([[2, Uint8Array.of(1, 0, 0, 0)]]),
    upperBounds: new Map([[2, Uint8Array.of(9, 0, 0, 0)]]),
    splitOffsets: [4, 2 ** 33],
    sortOrderId: 0,
    ...overrides,
  };
}

const added = (file: DataFile): ManifestEntry => ({
  status: 1,
  snapshotId: null,
  sequenceNumber: null,
  fileSequenceNumber: null,
  file,
});

describe('manifests', () => {
  it('keep every field, and leave ids and sequence numbers to inheritance', async () => {
    const io = new MemoryFileIO(systemPorts.clock);
    const manifest = await writeManifest(io, 's3://b/m.avro', [added(dataFile())], { schema, spec, formatVersion: 2 });
    const [raw] = await decodeManifest(await io.read('s3://b/m.avro'), 'm');
    expect(raw).toMatchObject({ status: 1, snapshotId: null, sequenceNumber: null, fileSequenceNumber: null });
    const [entry] = await readManifest(io, { ...manifest, sequenceNumber: 9, addedSnapshotId: 8271638172635172635n });
    expect(entry).toMatchObject({ snapshotId: 8271638172635172635n, sequenceNumber: 9, fileSequenceNumber: 9 });
    const { partition, ...file } = entry!.file;
    const { partition: _, ...written } = dataFile();
    expect(file).toMatchObject({
      ...written,
      lowerBounds: new Map([[2, Buffer.of(1, 0, 0, 0)]]),
      upperBounds: new Map([[2, Buffer.of(9, 0, 0, 0)]]),
    });
    ids.forEach((id, i) => {
      const value = partition.get(id);
      // A decimal is extended to the width of its type: 4 and 16 bytes.
      const expected =
        i === 13
          ? Buffer.of(255, 255, 255, 0)
          : i === 14
            ? Buffer.concat([Buffer.alloc(14), Buffer.of(0x7f, 1)])
            : values[i];
      if (value instanceof Uint8Array) expect(Buffer.compare(value, expected as Uint8Array), types[i]).toBe(0);
      else expect(value, types[i]).toBe(expected);
    });
    expect(manifest).toMatchObject({
      specId: 3,
      content: 0,
      addedFiles: 1,
      existingFiles: 0,
      deletedFiles: 0,
      addedRows: 3,
      sequenceNumber: null,
      addedSnapshotId: null,
      minSequenceNumber: null,
    });
    expect(manifest.length).toBe((await io.read('s3://b/m.avro')).length);
  });

  it('carry the header that the spec asks for, with field ids', async () => {
    const { bytes } = await encodeManifest('m', [added(dataFile())], { schema, spec, formatVersion: 2 });
    const { metadata } = await decodeAvro(bytes, 'm');
    expect(metadata.get('format-version')).toBe('2');
    expect(metadata.get('content')).toBe('data');
    expect(metadata.get('partition-spec-id')).toBe('3');
    expect(JSON.parse(metadata.get('partition-spec')!)).toEqual(spec.fields);
    expect(JSON.parse(metadata.get('schema')!)).toEqual(schema);
    const text = metadata.get('avro.schema')!;
    for (const id of [0, 1, 3, 4, 2, 134, 100, 117, 118, 129, 130, 1100]) expect(text).toContain(`"field-id":${id}`);
    expect(text).toContain('"element-id":133');
    expect(text).toContain('{"type":"int","logicalType":"date"}');
    expect(text).toContain('"name":"c_x20boolean"');
  });

  it('summarise partitions: nulls, NaN, bounds in the order of the type', async () => {
    const plain: PartitionSpec = {
      'spec-id': 0,
      fields: [
        [5, 1],
        [10, 2],
        [14, 3],
      ].map(([source, id]) => ({ 'source-id': source!, 'field-id': id!, name: `f${id}`, transform: 'identity' })),
    };
    const rows = [
      [Number.NaN, 'b', Uint8Array.of(5)],
      [-0, 'B', Uint8Array.of(0xff)],
      [0, '\u{10000}', Uint8Array.of(0x7f)],
      [null, '\uffee', null],
    ] as const;
    const entries = rows.map((row) => added(dataFile({ partition: new Map(row.map((value, i) => [i + 1, value])) })));
    const { manifest } = await encodeManifest('m', entries, { schema, spec: plain, formatVersion: 2 });
    const [double, text, decimal] = manifest.partitions!;
    expect(double).toMatchObject({ containsNull: true, containsNan: true });
    expect(Array.from(double!.lowerBound!)).toEqual([0, 0, 0, 0, 0, 0, 0, 128]);
    expect(Array.from(double!.upperBound!)).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    expect(text).toMatchObject({ containsNull: false, containsNan: false });
    expect(Buffer.from(text!.lowerBound!).toString()).toBe('B');
    expect(Buffer.from(text!.upperBound!).toString()).toBe('\u{10000}');
    expect(Array.from(decimal!.lowerBound!)).toEqual([0xff]);
    expect(Array.from(decimal!.upperBound!)).toEqual([0x7f]);
  });

  it('give no summary rather than one that readers order differently', async () => {
    const byUuid: PartitionSpec = {
      'spec-id': 0,
      fields: [{ 'source-id': 11, 'field-id': 1, name: 'u', transform: 'identity' }],
    };
    const file = (byte: number): ManifestEntry =>
      added(dataFile({ partition: new Map([[1, new Uint8Array(16).fill(byte)]]) }));
    expect(
      (await encodeManifest('m', [file(1), file(200)], { schema, spec: byUuid, formatVersion: 2 })).manifest.partitions,
    ).toBeNull();
    expect(
      (await encodeManifest('m', [file(1), file(1)], { schema, spec: byUuid, formatVersion: 2 })).manifest.partitions,
    ).toHaveLength(1);
  });

  it('of 10,000 files are written in several blocks', async () => {
    const full = new Map(Array.from({ length: 20 }, (_, i) => [i + 1, i * 1000]));
    const bounds = new Map(Array.from({ length: 20 }, (_, i) => [i + 1, new Uint8Array(8).fill(i)]));
    const entries = Array.from({ length: 10_000 }, (_, i) =>
      added(
        dataFile({
          location: `s3://b/${i}`,
          columnSizes: full,
          valueCounts: full,
          nullCounts: full,
          lowerBounds: bounds,
          upperBounds: bounds,
        }),
      ),
    );
    const { bytes, manifest } = await encodeManifest('m', entries, { schema, spec, formatVersion: 2 });
    expect(manifest.addedFiles).toBe(10_000);
    expect((await decodeManifest(bytes, 'm')).at(-1)!.file.location).toBe('s3://b/9999');
  });
});

describe('manifest lists', () => {
  it.each([2, 3])('of format v%i keep every field', async (formatVersion) => {
    const io = new MemoryFileIO(systemPorts.clock);
    const { manifest } = await encodeManifest('s3://b/m.avro', [added(dataFile())], { schema, spec, formatVersion });
    const entry = {
      ...manifest,
      sequenceNumber: 7,
      minSequenceNumber: 5,
      addedSnapshotId: 2n ** 62n + 1n,
      keyMetadata: null,
      firstRowId: formatVersion === 3 ? 40 : null,
    };
    await io.write(
      's3://b/l.avro',
      await encodeManifestList([entry], {
        snapshotId: 2n ** 62n + 1n,
        parentSnapshotId: null,
        sequenceNumber: 7,
        formatVersion,
      }),
    );
    const [read] = await readManifestList(io, 's3://b/l.avro');
    expect(read).toEqual({
      ...entry,
      partitions: entry.partitions!.map((part) => ({
        ...part,
        lowerBound: Buffer.from(part.lowerBound!),
        upperBound: Buffer.from(part.upperBound!),
      })),
    });
    const { metadata } = await decodeAvro(await io.read('s3://b/l.avro'), 'l');
    expect(metadata.get('snapshot-id')).toBe(String(2n ** 62n + 1n));
    expect(metadata.get('parent-snapshot-id')).toBe('null');
  });
});
