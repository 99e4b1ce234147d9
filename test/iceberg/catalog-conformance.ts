import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Catalog, CommitRequest, CreateTableRequest, LoadedTable, TableIdent } from '../../src/iceberg/catalog.ts';
import { planAppend } from '../../src/iceberg/snapshot.ts';
import { systemPorts } from '../../src/ports.ts';

/** Two clients of one catalog, and what that catalog can do. */
export interface Fixture {
  readonly first: Catalog;
  readonly second: Catalog;
  /** A manifest list in the store that snapshots may name, for catalogs that look. */
  readonly manifestList: (table: LoadedTable) => Promise<string>;
  readonly dottedNamespaces: boolean;
  /** Whether a table needs its namespace first; Java's JdbcCatalog by default does not ask. */
  readonly strictNamespaces: boolean;
  stop(): Promise<void>;
}

export const request: CreateTableRequest = {
  schema: {
    type: 'struct',
    'schema-id': 0,
    fields: [
      { id: 11, name: 'id', required: true, type: 'long' },
      {
        id: 12,
        name: 'place',
        required: false,
        type: { type: 'struct', fields: [{ id: 13, name: 'city', required: false, type: 'string' }] },
      },
      {
        id: 14,
        name: 'tags',
        required: false,
        type: { type: 'list', 'element-id': 15, 'element-required': false, element: 'string' },
      },
      { id: 16, name: 'at', required: false, type: 'timestamptz' },
    ],
  },
  spec: { 'spec-id': 0, fields: [{ 'source-id': 16, 'field-id': 7, name: 'at_day', transform: 'day' }] },
  properties: { 'format-version': '2', owner: 'tests' },
};

let counter = 0;
const fresh = (): string => `t${Date.now().toString(36)}${++counter}`;

/** An empty append: what a first commit of ours looks like. */
async function append(
  fixture: Fixture,
  table: LoadedTable,
  summary: Record<string, string> = {},
  snapshotId = systemPorts.ids.long(),
): Promise<CommitRequest> {
  const plan = planAppend({
    metadata: table.metadata,
    branch: 'main',
    parentManifests: [],
    manifests: [],
    added: { files: 0, records: 0, size: 0, partitions: 0 },
    summary,
    snapshotId,
    manifestListLocation: await fixture.manifestList(table),
    now: Date.now(),
  });
  return { requirements: plan.requirements, updates: plan.updates, idempotencyKey: systemPorts.ids.uuid() };
}

/** What every implementation of `Catalog` must do. */
export function catalogConformance(name: string, open: () => Promise<Fixture>): void {
  describe(`${name} catalog`, () => {
    let fixture: Fixture;
    let namespace: string[];
    beforeAll(async () => {
      fixture = await open();
      namespace = [fresh()];
      await fixture.first.createNamespace(namespace);
    });
    afterAll(async () => fixture?.stop());

    const create = async (): Promise<LoadedTable> => fixture.first.createTable({ namespace, name: fresh() }, request);

    it('creates a table with ids of its own, by breadth, and the spec following them', async () => {
      const { metadata } = await create();
      expect(metadata['format-version']).toBe(2);
      expect(metadata.schemas[0]!.fields.map((field) => [field.name, field.id])).toEqual([
        ['id', 1],
        ['place', 2],
        ['tags', 3],
        ['at', 4],
      ]);
      expect(metadata.schemas[0]!.fields[1]!.type).toMatchObject({ fields: [{ id: 5, name: 'city' }] });
      expect(metadata.schemas[0]!.fields[2]!.type).toMatchObject({ 'element-id': 6 });
      expect(metadata['last-column-id']).toBe(6);
      expect(metadata['partition-specs'][0]!.fields).toEqual([
        { 'source-id': 4, 'field-id': 1000, name: 'at_day', transform: 'day' },
      ]);
      expect(metadata['last-partition-id']).toBe(1000);
      expect(metadata.properties).toMatchObject({ owner: 'tests' });
      expect(metadata.properties).not.toHaveProperty('format-version');
      expect(metadata['last-sequence-number']).toBe(0);
      expect(metadata['current-snapshot-id'] ?? null).toBeNull();
    });

    it('creates a namespace twice without complaint', async () => {
      await expect(fixture.second.createNamespace(namespace)).resolves.toBeUndefined();
    });

    it('refuses to create a table twice', async () => {
      const { ident } = await create();
      await expect(fixture.second.createTable(ident, request)).rejects.toMatchObject({ code: 'TABLE_EXISTS' });
    });

    it('refuses a table in a namespace that does not exist, where the catalog asks for one', async () => {
      if (!fixture.strictNamespaces) return;
      await expect(fixture.first.createTable({ namespace: [fresh()], name: 't' }, request)).rejects.toMatchObject({
        code: 'CATALOG_REFUSED',
      });
    });

    it('lists tables', async () => {
      const own = [fresh()];
      await fixture.first.createNamespace(own);
      await fixture.first.createTable({ namespace: own, name: 'b' }, request);
      await fixture.first.createTable({ namespace: own, name: 'a' }, request);
      expect((await fixture.second.listTables(own)).map((ident) => ident.name).sort()).toEqual(['a', 'b']);
    });

    it('knows no table that was never made or was dropped', async () => {
      expect(await fixture.first.loadTable({ namespace, name: fresh() }, 'refs')).toBeNull();
      const { ident } = await create();
      await fixture.second.dropTable(ident);
      expect(await fixture.first.loadTable(ident, 'all')).toBeNull();
    });

    it('rejects a commit to an unknown table', async () => {
      const table = await create();
      await fixture.first.dropTable(table.ident);
      await expect(fixture.first.commit(table.ident, await append(fixture, table))).rejects.toMatchObject({
        code: 'TABLE_NOT_FOUND',
      });
    });

    it('commits a snapshot, with every digit of a 63-bit id', async () => {
      const table = await create();
      const id = 9223372036854775001n;
      const outcome = await fixture.first.commit(
        table.ident,
        await append(fixture, table, { 'tabletopic.offsets': '{"next":[9007199254740993]}' }, id),
      );
      expect(outcome.outcome).toBe('committed');
      for (const mode of ['refs', 'all'] as const) {
        const loaded = (await fixture.second.loadTable(table.ident, mode))!;
        expect(loaded.metadata['current-snapshot-id']).toBe(id);
        expect(loaded.metadata.refs!['main']!['snapshot-id']).toBe(id);
        expect(loaded.metadata.snapshots).toHaveLength(1);
        expect(loaded.metadata.snapshots![0]!).toMatchObject({ 'snapshot-id': id, 'sequence-number': 1 });
        expect(loaded.metadata.snapshots![0]!.summary).toMatchObject({
          operation: 'append',
          'tabletopic.offsets': '{"next":[9007199254740993]}',
        });
        expect(loaded.metadata['last-sequence-number']).toBe(1);
      }
    });

    it('answers conflict when the head has moved', async () => {
      const table = await create();
      const [one, two] = [await append(fixture, table), await append(fixture, table)];
      expect((await fixture.first.commit(table.ident, one)).outcome).toBe('committed');
      expect((await fixture.second.commit(table.ident, two)).outcome).toBe('conflict');
    });

    it('answers conflict when the table is another one of the same name', async () => {
      const table = await create();
      const stale = await append(fixture, table);
      await fixture.first.dropTable(table.ident);
      await fixture.first.createTable(table.ident, request);
      expect((await fixture.second.commit(table.ident, stale)).outcome).toBe('conflict');
    });

    it('answers conflict for a sequence number that was passed, though the head is the asserted one again', async () => {
      let table = await create();
      await fixture.first.commit(table.ident, await append(fixture, table));
      table = (await fixture.first.loadTable(table.ident, 'all'))!;
      const late = await append(fixture, table);
      const first = table.metadata['current-snapshot-id']!;
      await fixture.first.commit(table.ident, await append(fixture, table));
      const back = await fixture.first.commit(table.ident, {
        requirements: [],
        updates: [{ action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': first }],
        idempotencyKey: systemPorts.ids.uuid(),
      });
      expect(back.outcome).toBe('committed');
      expect((await fixture.second.commit(table.ident, late)).outcome).toBe('conflict');
    });

    it('lets exactly one of many writers win on each head', async () => {
      const table = await create();
      let wins = 0;
      const writer = async (catalog: Catalog): Promise<void> => {
        for (let round = 0; round < 5;) {
          const loaded = (await catalog.loadTable(table.ident, 'refs'))!;
          const outcome = await catalog.commit(table.ident, await append(fixture, loaded));
          expect(['committed', 'conflict']).toContain(outcome.outcome);
          if (outcome.outcome !== 'committed') continue;
          wins++;
          round++;
        }
      };
      await Promise.all([writer(fixture.first), writer(fixture.second), writer(fixture.first), writer(fixture.second)]);
      const { metadata } = (await fixture.first.loadTable(table.ident, 'all'))!;
      expect(metadata.snapshots).toHaveLength(wins);
      expect(metadata['last-sequence-number']).toBe(wins);
      // One chain: every snapshot but the last is the parent of exactly one other.
      const parents = metadata.snapshots!.map((snapshot) => snapshot['parent-snapshot-id'] ?? null);
      expect(new Set(parents).size).toBe(wins);
    }, 60_000);

    it('sets and removes properties, adds a column', async () => {
      const table = await create();
      const schema = table.metadata.schemas[0]!;
      const outcome = await fixture.first.commit(table.ident, {
        requirements: [
          { type: 'assert-table-uuid', uuid: table.metadata['table-uuid'] },
          { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': 6 },
        ],
        updates: [
          { action: 'set-properties', updates: { 'tabletopic.fields': '{"1":"id"}' } },
          { action: 'remove-properties', removals: ['owner'] },
          {
            action: 'add-schema',
            schema: { ...schema, fields: [...schema.fields, { id: 7, name: 'note', required: false, type: 'string' }] },
            'last-column-id': 7,
          },
          { action: 'set-current-schema', 'schema-id': -1 },
        ],
        idempotencyKey: systemPorts.ids.uuid(),
      });
      expect(outcome.outcome).toBe('committed');
      const { metadata } = (await fixture.second.loadTable(table.ident, 'all'))!;
      expect(metadata.properties).toMatchObject({ 'tabletopic.fields': '{"1":"id"}' });
      expect(metadata.properties).not.toHaveProperty('owner');
      expect(metadata['current-schema-id']).toBe(1);
      expect(metadata['last-column-id']).toBe(7);
      expect(metadata.schemas.find((candidate) => candidate['schema-id'] === 1)!.fields.at(-1)).toMatchObject({
        id: 7,
        name: 'note',
      });
    });

    it('keeps tables of nested namespaces apart', async () => {
      const [outer, inner]: [TableIdent, TableIdent] = [
        { namespace: [fresh()], name: 'x' },
        { namespace: [fresh(), 'inner'], name: 'x' },
      ];
      await fixture.first.createNamespace(outer.namespace);
      await fixture.first.createNamespace(inner.namespace.slice(0, 1));
      await fixture.first.createNamespace(inner.namespace);
      const made = await fixture.first.createTable(inner, request);
      expect(await fixture.second.loadTable(outer, 'refs')).toBeNull();
      expect((await fixture.second.loadTable(inner, 'refs'))!.metadata['table-uuid']).toBe(made.metadata['table-uuid']);
    });

    it('holds a namespace with a dot in a level, or refuses it by name', async () => {
      const dotted = [`${fresh()}.dot`];
      if (fixture.dottedNamespaces) {
        await fixture.first.createNamespace(dotted);
        await fixture.first.createTable({ namespace: dotted, name: 'x' }, request);
        expect(await fixture.second.loadTable({ namespace: dotted, name: 'x' }, 'refs')).not.toBeNull();
      } else {
        await expect(fixture.first.createNamespace(dotted)).rejects.toMatchObject({ code: 'CATALOG_REFUSED' });
      }
    });
  });
}
