import { describe, expect, test } from 'vitest';
import { Receipt } from '../../src/commit/commit-loop.ts';
import { decodeAccounted } from '../../src/commit/accounted.ts';
import { OFFSETS, OFFSETS_PREV, decodeStatement, statementSubject } from '../../src/commit/statement.ts';
import { TabletopicError } from '../../src/errors.ts';
import { TOPIC, World, ident } from './world.ts';

describe('a table that is created', () => {
  test('begins with an empty snapshot that carries the first offsets', async () => {
    const world = new World({ partitions: 2 });
    const { committer } = await world.instance().start();
    expect(committer.state!.offsets).toEqual(world.first());
    expect(world.metadata.snapshots).toHaveLength(1);
    expect(world.metadata.properties).toMatchObject({
      'commit.retry.num-retries': '20',
      'commit.retry.max-wait-ms': '2000',
      'write.metadata.delete-after-commit.enabled': 'true',
    });
  });

  test('by two at once has one winner and one set of offsets', async () => {
    const world = new World();
    const [a, b] = [world.instance(), world.instance()];
    await Promise.all([a.start(), b.start()]);
    expect(world.metadata.snapshots).toHaveLength(1);
    await a.commitTo(3);
    await b.catchUp(5);
    expect(await world.problems([5])).toEqual([]);
  });

  test('whose creation was cut off before the first snapshot gets it at the next start', async () => {
    const world = new World();
    const first = world.instance();
    first.faults.push('unavailable');
    await expect(first.start()).rejects.toMatchObject({ code: 'CATALOG_UNAVAILABLE' });
    const second = world.instance();
    expect((await second.committer.load())!.offsets).toBeNull();
    await second.start();
    await second.catchUp(2);
    expect(await world.problems([2])).toEqual([]);
  });

  test('a table that others filled gets the offsets on top, and its rows stay', async () => {
    const world = new World();
    await world.catalog.createNamespace(ident.namespace);
    await world.catalog.createTable(ident, {
      schema: { type: 'struct', 'schema-id': 0, fields: [{ id: 1, name: 'offset', required: false, type: 'long' }] },
      spec: { 'spec-id': 0, fields: [] },
      properties: {},
    });
    await world.load([
      [0, 100],
      [0, 101],
    ]);
    const foreign = world.head();
    const a = await world.instance().start();
    expect(world.metadata.snapshots!.at(-1)!['parent-snapshot-id']).toBe(foreign);
    await a.commitTo(3);
    expect(await world.rows()).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
      [0, 100],
      [0, 101],
    ]);
  });

  test('a foreign snapshot whose parent is missing is not taken for a table that was never ours', async () => {
    const world = new World();
    const other = await world.instance().start();
    await other.commitTo(4);
    await world.update([{ action: 'remove-properties', removals: ['tabletopic.checkpoint.main'] }]);
    await world.compact();
    await world.expire(
      world.metadata.snapshots!.map((snapshot) => snapshot['snapshot-id']).filter((id) => id !== world.head()),
    );
    await expect(world.instance().start()).rejects.toMatchObject({ code: 'OFFSETS_AMBIGUOUS' });
  });
});

describe('a commit', () => {
  test('carries the whole map, the parent’s, and what became of each range', async () => {
    const world = new World({ partitions: 3 });
    const a = await world.instance().start();
    const parent = world.head();
    const result = await a.commitTo(5, undefined, 2);
    expect(result.kind).toBe('committed');
    const { summary } = world.metadata.snapshots!.at(-1)!;
    expect(decodeStatement(summary![OFFSETS]!).offsets[TOPIC]!.next).toEqual([5, 0, 2]);
    expect(statementSubject(summary![OFFSETS_PREV]!)).toBe(parent);
    expect(decodeStatement(summary![OFFSETS_PREV]!).offsets[TOPIC]!.next).toEqual([0, 0, 0]);
    expect(decodeAccounted(summary!['tabletopic.accounted']!).map(({ start, end }) => end - start)).toEqual([5, 2]);
    expect(statementSubject(world.metadata.properties!['tabletopic.checkpoint.main']!)).toBe(world.head());
    expect(await world.problems([5, 0, 2])).toEqual([]);
  });

  test('asserts UUID, branch head, default spec and schema', async () => {
    const world = new World();
    const a = await world.instance().start();
    const head = world.head();
    await a.commitTo(1);
    expect(a.requests.at(-1)!.requirements).toEqual([
      { type: 'assert-table-uuid', uuid: world.metadata['table-uuid'] },
      { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': head },
      { type: 'assert-default-spec-id', 'default-spec-id': 0 },
      { type: 'assert-current-schema-id', 'current-schema-id': 0 },
    ]);
  });

  test('keeps the retention that the branch has', async () => {
    const world = new World();
    const a = await world.instance().start();
    await world.update([
      {
        action: 'set-snapshot-ref',
        'ref-name': 'main',
        type: 'branch',
        'snapshot-id': world.head(),
        'min-snapshots-to-keep': 7,
      },
    ]);
    await a.commitTo(1);
    expect(world.metadata.refs!['main']).toMatchObject({ 'min-snapshots-to-keep': 7, 'snapshot-id': world.head() });
  });

  test('of another branch grows from main and leaves main alone', async () => {
    const world = new World();
    const a = await world.instance().start();
    await a.commitTo(2);
    const main = world.head();
    const b = await world.instance({ branch: 'audit' }).start();
    expect(b.next()).toBe(2);
    await b.commitTo(5);
    expect(world.head()).toBe(main);
    expect(await world.problems([5], 'audit')).toEqual([]);
    expect(await world.problems([2])).toEqual([]);
    await a.commitTo(4);
    expect(await world.problems([4])).toEqual([]);
    expect(await world.problems([5], 'audit')).toEqual([]);
  });

  test('writes the manifest once and a manifest list for each attempt; each attempt has its own ids', async () => {
    const world = new World();
    const a = await world.instance().start();
    const prepared = await a.prepare([3]);
    const before = new Set(world.io.objects.keys());
    a.faults.push('conflict', 'lost-request', 'conflict');
    await a.committer.commit(prepared);
    const written = [...world.io.objects.keys()].filter((location) => !before.has(location));
    expect(written).toHaveLength(4);
    expect(written.every((location) => location.includes('/snap-'))).toBe(true);
    const tries = a.requests.slice(-4);
    expect(new Set(tries.map((request) => request.idempotencyKey)).size).toBe(4);
    expect(
      new Set(
        tries.map((request) => (request.updates[0] as { snapshot: { 'snapshot-id': bigint } }).snapshot['snapshot-id']),
      ).size,
    ).toBe(4);
    expect(a.outcomes).toEqual(['conflict', 'unknown', 'conflict', 'committed']);
    expect(await world.problems([3])).toEqual([]);
  });

  test('waits while the catalog is away, and is then made with the same files', async () => {
    const world = new World();
    const a = await world.instance().start();
    const prepared = await a.prepare([3]);
    a.faults.push('unavailable', 'unavailable');
    await expect(a.committer.commit(prepared)).rejects.toMatchObject({ code: 'CATALOG_UNAVAILABLE' });
    await expect(a.committer.commit(prepared)).rejects.toMatchObject({ code: 'CATALOG_UNAVAILABLE' });
    expect((await a.committer.commit(prepared)).kind).toBe('committed');
    expect(await world.problems([3])).toEqual([]);
  });

  test.each([
    ['conflict', 'COMMIT_CONFLICT'],
    ['lost-request', 'COMMIT_UNKNOWN'],
  ] as const)('that ends in %s again and again says so, and may be tried again', async (fault, code) => {
    const world = new World();
    const a = await world.instance().start();
    const prepared = await a.prepare([3]);
    a.faults.push(...Array<typeof fault>(20).fill(fault));
    await expect(a.committer.commit(prepared)).rejects.toMatchObject({ code, policy: 'retry' });
    expect((await a.committer.commit(prepared)).kind).toBe('committed');
    expect(await world.problems([3])).toEqual([]);
  });

  test('given up by its signal stays open: it may be tried again and is made once', async () => {
    const world = new World();
    const a = await world.instance().start();
    const prepared = await a.prepare([3]);
    const bound = new AbortController();
    a.beforeCommit = async () => {
      bound.abort(new TabletopicError('COMMIT_UNKNOWN', 'out of time'));
      await new Promise((resolve) => setImmediate(resolve));
    };
    await expect(a.committer.commit(prepared, bound.signal)).rejects.toThrow('out of time');
    await new Promise((resolve) => setImmediate(resolve));
    expect((await a.committer.commit(prepared)).kind).toBe('committed');
    expect(await world.problems([3])).toEqual([]);
  });

  test('refuses a cut whose counts do not agree with its files', async () => {
    const world = new World();
    const a = await world.instance().start();
    await expect(a.prepare([3], [], { files: [] })).rejects.toThrow(/the ranges count 3 rows, the files hold 0/);
  });
});

describe('a receipt', () => {
  test('is given for a commit, names it, and cannot be made elsewhere', async () => {
    const world = new World();
    const a = await world.instance().start();
    const result = await a.commitTo(2);
    if (result.kind !== 'committed') throw new Error('not committed');
    expect(Receipt.is(result.receipt)).toBe(true);
    expect(result.receipt.snapshotId).toBe(world.head());
    expect(result.receipt.state.offsets![TOPIC]!.next).toEqual([2]);
    expect(() => new Receipt(Symbol('mint'), result.receipt)).toThrow(TabletopicError);
    expect(Receipt.is(Object.assign({}, result.receipt))).toBe(false);
  });
});

describe('what stops a table', () => {
  test('another topic of the same name, at load and at refresh; both sides are named', async () => {
    const world = new World();
    const a = await world.instance().start();
    world.identity = { id: 'topic-2', cluster: 'cluster-1' };
    await expect(world.instance().committer.load()).rejects.toMatchObject({
      code: 'KAFKA_TOPIC_CHANGED',
      message: expect.stringMatching(/topic-1.*topic-2/),
    });
    await expect(a.committer.refresh()).rejects.toMatchObject({ code: 'KAFKA_TOPIC_CHANGED' });
    world.identity = { id: 'topic-1', cluster: 'cluster-2' };
    await expect(a.committer.refresh()).rejects.toMatchObject({
      code: 'KAFKA_TOPIC_CHANGED',
      message: expect.stringMatching(/cluster-1.*cluster-2/),
    });
  });

  test('a table that was dropped and made again under its name', async () => {
    const world = new World();
    const a = await world.instance().start();
    await world.catalog.dropTable(ident);
    await expect(a.committer.refresh()).rejects.toMatchObject({ code: 'TABLE_NOT_FOUND' });
    await world.instance().start();
    await expect(a.commitTo(1)).rejects.toMatchObject({ code: 'TABLE_CHANGED' });
  });

  test('offsets that a later version wrote', async () => {
    const world = new World();
    await world.instance().start();
    const [snapshot] = world.metadata.snapshots!;
    Object.assign(snapshot!.summary!, { [OFFSETS]: '{"v":2}' });
    await expect(world.instance().committer.load()).rejects.toMatchObject({
      code: 'OFFSETS_AMBIGUOUS',
      message: expect.stringContaining('version 2'),
    });
  });
});

describe('schema commits', () => {
  const column = (state: NonNullable<World['metadata']>, name: string) => {
    const schema = state.schemas.find((candidate) => candidate['schema-id'] === state['current-schema-id'])!;
    if (schema.fields.some((field) => field.name === name)) return null;
    const id = state['last-column-id'] + 1;
    return {
      schema: {
        ...schema,
        'schema-id': schema['schema-id'] + 1,
        fields: [...schema.fields, { id, name, required: false, type: 'string' as const }],
      },
      lastColumnId: id,
      fields: `{"${id}":"${name}"}`,
    };
  };

  test('of two that add columns at once neither is lost and no id is given twice', async () => {
    const world = new World();
    const [a, b] = [await world.instance().start(), await world.instance().start()];
    await Promise.all([
      a.committer.evolve(({ table }) => column(table.metadata, 'x')),
      b.committer.evolve(({ table }) => column(table.metadata, 'y')),
    ]);
    const schema = world.metadata.schemas.find(
      (candidate) => candidate['schema-id'] === world.metadata['current-schema-id'],
    )!;
    expect(new Set(schema.fields.map((field) => field.name))).toEqual(new Set(['offset', 'x', 'y']));
    expect(schema.fields.map((field) => field.id)).toEqual([1, 2, 3]);
    // One commit each that names the schema and the last field id that it was derived from.
    for (const { requests } of [a, b]) {
      const change = requests.findLast(({ updates }) => updates.some(({ action }) => action === 'add-schema'))!;
      expect(change.requirements.map(({ type }) => type)).toEqual([
        'assert-table-uuid',
        'assert-current-schema-id',
        'assert-last-assigned-field-id',
      ]);
    }
  });

  test('that another has made, or whose answer was lost, are not made again', async () => {
    const world = new World();
    const [a, b] = [await world.instance().start(), await world.instance().start()];
    a.faults.push('lost-answer');
    await a.committer.evolve(({ table }) => column(table.metadata, 'x'));
    await b.committer.refresh();
    await b.committer.evolve(({ table }) => column(table.metadata, 'x'));
    expect(world.metadata.schemas).toHaveLength(2);
    expect(world.metadata.properties!['tabletopic.fields']).toBe('{"2":"x"}');
  });

  test('to nanoseconds are refused where the format version has none', async () => {
    for (const formatVersion of [2, 3] as const) {
      const world = new World({ formatVersion });
      const a = await world.instance().start();
      const change = a.committer.evolve(({ table: { metadata } }) => {
        const { schema, ...rest } = column(metadata, 'x')!;
        const fields = schema.fields.map((field) =>
          field.name === 'x' ? { ...field, type: 'timestamptz_ns' as const } : field,
        );
        return { ...rest, schema: { ...schema, fields } };
      });
      if (formatVersion === 2) await expect(change).rejects.toMatchObject({ code: 'TABLE_UNSUPPORTED' });
      else expect((await change).table.metadata.schemas).toHaveLength(2);
    }
  });

  test('let checkpoints with the older schema through', async () => {
    const world = new World();
    const a = await world.instance().start();
    const prepared = await a.prepare([2]);
    await a.committer.evolve(({ table }) => column(table.metadata, 'x'));
    expect((await a.committer.commit(prepared)).kind).toBe('committed');
  });
});
