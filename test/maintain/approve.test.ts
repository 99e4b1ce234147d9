import { describe, expect, test } from 'vitest';
import { main } from '../../src/cli/cli.ts';
import { tableFields } from '../../src/commit/table-fields.ts';
import { currentSchema } from '../../src/iceberg/metadata.ts';
import { approveChanges } from '../../src/maintain/approve.ts';
import { deriveChange } from '../../src/schema/derive.ts';
import type { ChangeRules } from '../../src/schema/derive.ts';
import { encodeWaiting, waitingChange, waitingChanges, waitingProperty } from '../../src/schema/waiting-change.ts';
import type { NestedField, PrimitiveType } from '../../src/schema/types.ts';
import type { Source } from '../../src/source/source.ts';
import { type Console, configFile, testContext } from '../cli/context.ts';
import type { CliContext } from '../../src/cli/context.ts';
import { TOPIC, World, ident } from '../commit/world.ts';
import { catalogOf } from './change-target.ts';

const rules: ChangeRules = { onIncompatible: 'dead-letter', onDropped: 'stop' };
const field = (name: string, type: PrimitiveType): NestedField => ({ id: 0, name, required: false, type });

async function world(): Promise<World> {
  const of = new World();
  const instance = await of.instance().start();
  await instance.commitTo(10);
  return of;
}

/** States a change as a service under `schemaChanges: manual` does; its id. */
async function propose(of: World, schema: string, ...fields: NestedField[]): Promise<string> {
  const writer = {
    part: 'value' as const,
    struct: { type: 'struct' as const, fields: [field('offset', 'long'), ...fields] },
    aliases: {},
  };
  const { changes } = deriveChange(tableFields(of.metadata), writer, rules);
  const waiting = waitingChange(changes, schema, of.ports.clock.now(), writer);
  await of.update([{ action: 'set-properties', updates: { [waitingProperty(waiting.id)]: encodeWaiting(waiting) } }]);
  of.ports.skip(1000);
  return waiting.id;
}

const columns = (of: World): string[] =>
  currentSchema(of.metadata).fields.map(({ id, name, type }) => `${id} ${name} ${type as string}`);
const waits = (of: World): string[] => waitingChanges(of.metadata.properties).map(({ id }) => id);
const approve = (of: World, change: string | null, catalog = of.catalog) =>
  approveChanges({ address: { catalog, ident, branch: 'main' }, ports: of.ports, change, rules });

describe('approve', () => {
  test('makes one change and leaves the other waiting', async () => {
    const of = await world();
    const note = await propose(of, 'schema 7', field('note', 'string'));
    const tag = await propose(of, 'schema 8', field('tag', 'int'));
    const result = await approve(of, note);
    expect(result).toMatchObject({ changed: true, approved: [{ id: note, changes: ['add column note string'] }] });
    expect(result.waiting.map(({ id }) => id)).toEqual([tag]);
    expect(columns(of)).toEqual(['1 offset long', '2 note string']);
    expect(waits(of)).toEqual([tag]);
    // What waits still is the same change on the new table.
    expect(await approve(of, tag)).toMatchObject({ changed: true, waiting: [] });
    expect(columns(of)).toEqual(['1 offset long', '2 note string', '3 tag int']);
  });

  test('all of them in one commit, which asserts schema and last field id', async () => {
    const of = await world();
    await propose(of, 'schema 7', field('note', 'string'));
    await propose(of, 'schema 8', field('tag', 'int'), field('note', 'string'));
    const asserted: string[][] = [];
    const catalog = catalogOf(of, (_, request) => {
      asserted.push(request.requirements.map(({ type }) => type));
      return Promise.resolve(null);
    });
    await approve(of, null, catalog);
    expect(asserted).toEqual([['assert-table-uuid', 'assert-current-schema-id', 'assert-last-assigned-field-id']]);
    expect(columns(of)).toEqual(['1 offset long', '2 note string', '3 tag int']);
    expect(waits(of)).toEqual([]);
    expect(await approve(of, null)).toMatchObject({ changed: false, approved: [], waiting: [] });
  });

  test('an id names one change of one table: after another one it is refused, and nothing is changed', async () => {
    const of = await world();
    const both = await propose(of, 'schema 7', field('note', 'string'), field('tag', 'int'));
    await approve(of, await propose(of, 'schema 8', field('tag', 'int')));
    const before = of.metadata;
    await expect(approve(of, both)).rejects.toMatchObject({ code: 'TABLE_CHANGED', exit: 3 });
    await expect(approve(of, null)).rejects.toMatchObject({ code: 'TABLE_CHANGED' });
    await expect(approve(of, '000000000000')).rejects.toMatchObject({ code: 'USAGE' });
    expect(of.metadata).toBe(before);
  });

  test('a change that somebody else has made is taken off the list', async () => {
    const of = await world();
    const note = await propose(of, 'schema 7', field('note', 'string'));
    const schema = currentSchema(of.metadata);
    const made = { ...schema, fields: [...schema.fields, { ...field('note', 'string'), id: 2 }] };
    await of.update([
      { action: 'add-schema', schema: made, 'last-column-id': 2 },
      { action: 'set-current-schema', 'schema-id': -1 },
    ]);
    expect(await approve(of, note)).toMatchObject({ changed: false, approved: [{ id: note }] });
    expect(columns(of)).toEqual(['1 offset long', '2 note string']);
    expect(waits(of)).toEqual([]);
  });

  test('a lost answer is looked up; a conflict is planned anew on the table as it is then', async () => {
    const of = await world();
    const note = await propose(of, 'schema 7', field('note', 'string'));
    let calls = 0;
    const lost = catalogOf(of, () => Promise.resolve(calls++ === 0 ? 'lost-answer' : null));
    expect(await approve(of, note, lost)).toMatchObject({ changed: true });
    expect(calls).toBe(1);
    const tag = await propose(of, 'schema 8', field('tag', 'int'));
    const conflict = catalogOf(of, () => Promise.resolve(calls++ === 1 ? 'conflict' : null));
    expect(await approve(of, tag, conflict)).toMatchObject({ changed: true });
    expect(columns(of)).toEqual(['1 offset long', '2 note string', '3 tag int']);
  });
});

describe('as commands', () => {
  const file = (): string =>
    configFile(`kafka: { brokers: [a:1] }
catalogs: { lake: { type: rest, uri: http://a, warehouse: s3://lake/w } }
tables: [{ topic: ${TOPIC}, table: shop.orders, schemaChanges: manual }]
`);
  function cli(of: World): CliContext & Console {
    const source = {
      connect: () => Promise.resolve({ clusterId: of.identity.cluster }),
      describeTopics: () =>
        Promise.resolve([{ name: TOPIC, id: of.identity.id, partitions: [{ partition: 0, leaderEpoch: 0 }] }]),
      listOffsets: () => Promise.resolve([10]),
      close: () => Promise.resolve(),
    } as unknown as Source;
    const refuse = (): never => {
      throw new Error('not part of this test');
    };
    return testContext({
      connect: {
        source: () => source,
        catalog: () => of.catalog,
        fileIO: () => of.io,
        registry: () => null,
        positions: refuse,
      },
    });
  }

  test('status shows what waits with the command that lets it through; the command does', async () => {
    const of = await world();
    const id = await propose(of, 'schema 7', field('note', 'string'));
    const status = cli(of);
    expect(await main(['status', '-c', file()], status)).toBe(0);
    expect(status.out).toMatch(/WAITS for approval since .*: schema 7: add column note string/);
    expect(status.out).toContain(`tabletopic approve -c FILE --table shop.orders --change ${id}`);
    const done = cli(of);
    expect(await main(['approve', '-c', file(), '--table', 'shop.orders', '--change', id], done)).toBe(0);
    expect(done.out).toContain('shop.orders was changed');
    expect(columns(of)).toEqual(['1 offset long', '2 note string']);
    const after = cli(of);
    expect(await main(['status', '-c', file(), '--json'], after)).toBe(0);
    expect(JSON.parse(after.out)).toMatchObject({ tables: [{ waiting: [] }] });
  });

  test('without saying which, or both ways, nothing is approved: exit 2, and what waits is named', async () => {
    const of = await world();
    const id = await propose(of, 'schema 7', field('note', 'string'));
    const console = cli(of);
    expect(await main(['approve', '-c', file(), '--table', 'shop.orders'], console)).toBe(2);
    expect(console.err).toContain(`${id} (add column note string)`);
    expect(await main(['approve', '-c', file(), '--table', 'shop.orders', '--all', '--change', id], cli(of))).toBe(2);
    expect(waits(of)).toEqual([id]);
    const all = cli(of);
    expect(await main(['approve', '-c', file(), '--table', 'shop.orders', '--all', '--json'], all)).toBe(0);
    expect(JSON.parse(all.out)).toMatchObject({ table: 'shop.orders', changed: true, approved: [{ id }] });
  });
});
