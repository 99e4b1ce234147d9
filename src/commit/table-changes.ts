import { asTabletopicError } from '../errors.ts';
import { buildAttempt } from './attempt.ts';
import { Backoff } from './backoff.ts';
import { ATTEMPTS, outOfAttempts } from './commit-loop.ts';
import { onSameHead } from './head-moved.ts';
import { newTableProperties } from './new-table-properties.ts';
import { FIELDS_PROPERTY, checkpointProperty, encodeStatement } from './statement.ts';
import { addFirst } from './vector.ts';
import type { CreateTableRequest, LoadedTable } from '../iceberg/catalog.ts';
import type { FileIO } from '../io/file-io.ts';
import type { Ports } from '../ports.ts';
import { refuseNewerTypes } from '../schema/format-version.ts';
import type { Schema } from '../schema/types.ts';
import type { OffsetsMap, TableState } from './commit.ts';
import type { Known } from './known.ts';
import type { Sendable, TableSession } from './session.ts';

/** Commits without a checkpoint: the table itself, first offsets, schemas, anchors. Each is decided anew on every state. */
export interface ChangeContext {
  readonly session: TableSession;
  readonly io: (table: LoadedTable) => FileIO;
  readonly ports: Ports;
  readonly signal: AbortSignal;
}

export interface SchemaChange {
  readonly schema: Schema;
  readonly lastColumnId: number;
  /** Value of `tabletopic.fields`. */
  readonly fields: string;
}

export interface PropertyChange {
  readonly set: Readonly<Record<string, string>>;
  readonly remove: readonly string[];
}

/** Creates the table where it is absent. Of two that do it at once one wins, the other loads. */
export async function createTable(request: CreateTableRequest, { session }: ChangeContext): Promise<Known> {
  const existing = await session.load();
  if (existing !== null) return existing;
  const { catalog, ident } = session.address;
  try {
    await catalog.createNamespace(ident.namespace);
    await catalog.createTable(ident, { ...request, properties: { ...newTableProperties, ...request.properties } });
  } catch (error) {
    if (asTabletopicError(error).code !== 'TABLE_EXISTS') throw error;
  }
  return session.reload();
}

/** An empty snapshot with the offsets that the table lacks; nothing when it has them all. */
export function writeFirstOffsets(first: OffsetsMap, context: ChangeContext): Promise<Known> {
  return untilDone(context, async (known) => {
    const offsets = addFirst(known.offsets, first);
    if (offsets === null) return null;
    const { session, ports } = context;
    return buildAttempt(known, [], offsets, {
      io: context.io(known.table),
      ports,
      branch: session.address.branch,
      listCache: session.listCache,
    });
  });
}

/** One schema commit, derived again on each state that is found. */
export function evolveSchema(
  derive: (state: TableState) => SchemaChange | null,
  context: ChangeContext,
): Promise<Known> {
  const { session } = context;
  return untilDone(context, async (known) => {
    const change = derive(known);
    if (change === null) return null;
    const { metadata } = known.table;
    refuseNewerTypes(change.schema, metadata['format-version'], session.name);
    return {
      request: {
        requirements: [
          { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
          { type: 'assert-current-schema-id', 'current-schema-id': metadata['current-schema-id'] },
          { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': metadata['last-column-id'] },
        ],
        updates: [
          { action: 'add-schema', schema: change.schema, 'last-column-id': change.lastColumnId },
          { action: 'set-current-schema', 'schema-id': -1 },
          { action: 'set-properties', updates: { [FIELDS_PROPERTY]: change.fields } },
        ],
        idempotencyKey: context.ports.ids.uuid(),
      },
    };
  });
}

/** Table properties about the schema: derived again on each state that is found, and bound to its current schema. */
export function changeProperties(
  derive: (state: TableState) => PropertyChange | null,
  context: ChangeContext,
): Promise<Known> {
  return untilDone(context, async (known) => {
    const change = derive(known);
    if (change === null) return null;
    const { metadata } = known.table;
    return {
      request: {
        requirements: [
          { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
          { type: 'assert-current-schema-id', 'current-schema-id': metadata['current-schema-id'] },
        ],
        updates: [
          ...(Object.keys(change.set).length > 0 ? [{ action: 'set-properties', updates: change.set } as const] : []),
          ...(change.remove.length > 0 ? [{ action: 'remove-properties', removals: change.remove } as const] : []),
        ],
        idempotencyKey: context.ports.ids.uuid(),
      },
    };
  });
}

/**
 * States the offsets about a foreign head in the property, so that an expiry below it takes nothing away (TRACES A1). No
 * snapshot; asserts the head. One try: a lost race makes the anchor less useful, never wrong.
 *
 * Breaks: test/commit/traces.sim.test.ts, "a refresh anchors the statement".
 */
export async function anchor(known: Known, { session, ports, signal }: ChangeContext): Promise<Known> {
  const {
    statement,
    headSnapshotId: head,
    anchored,
    table: { metadata },
  } = known;
  const { branch } = session.address;
  if (statement === null || head === null || anchored || metadata.refs?.[branch] === undefined) return known;
  const request = {
    requirements: [
      { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
      { type: 'assert-ref-snapshot-id', ref: branch, 'snapshot-id': head },
    ],
    updates: [
      { action: 'set-properties', updates: { [checkpointProperty(branch)]: encodeStatement(statement, head) } },
    ],
    idempotencyKey: ports.ids.uuid(),
  } as const;
  await session.send({ request }, signal, () => undefined);
  return session.current();
}

/** Sends what `plan` makes of the latest state until it is committed or `plan` finds nothing to do (null). */
async function untilDone(context: ChangeContext, plan: (known: Known) => Promise<Sendable | null>): Promise<Known> {
  const { session, ports, signal } = context;
  const backoff = new Backoff(ports, 50, 5_000);
  let attempts = 0;
  for (;;) {
    signal.throwIfAborted();
    const known = await session.current();
    const change = await onSameHead(session, known, async () => (await plan(known)) ?? 'done');
    if (change === 'done') return known;
    if (change === null) continue;
    const outcome = await session.send(change, signal, () => undefined);
    if (outcome.outcome === 'committed') return session.current();
    if (++attempts === ATTEMPTS) throw outOfAttempts(outcome, session.name, attempts);
    await backoff.wait(signal);
  }
}
