import { FIELDS_PROPERTY } from '../commit/statement.ts';
import { tableFields } from '../commit/table-fields.ts';
import { TabletopicError } from '../errors.ts';
import { type LoadedTable, identText } from '../iceberg/catalog.ts';
import { type ChangeRules, type DerivedChange, deriveChange } from '../schema/derive.ts';
import { refuseNewerTypes } from '../schema/format-version.ts';
import { type WaitingChange, changeId, waitingChanges, waitingProperty } from '../schema/waiting-change.ts';
import { type ChangeTarget, type PlannedChange, commitChange } from './change.ts';

export interface ApproveResult {
  readonly table: string;
  /** False: the table had all of it already. */
  readonly changed: boolean;
  readonly approved: readonly Pick<WaitingChange, 'id' | 'schema' | 'changes'>[];
  /** What waits still. */
  readonly waiting: readonly Pick<WaitingChange, 'id' | 'schema' | 'changes'>[];
}

export interface ApproveOptions extends Pick<ChangeTarget, 'address' | 'ports'> {
  /** The id of one change; null: all that wait. */
  readonly change: string | null;
  readonly rules: ChangeRules;
}

/**
 * Makes schema changes that wait for approval, in one commit that asserts the schema they were shown for; the service
 * sees them on its timer and goes on.
 *
 * Exact: a change is made only if it is, on the table as it is now, still the very change that its id names. Rejects with
 * `USAGE` when no such change waits, with `TABLE_CHANGED` when the table has changed since, and as `commitChange` does.
 */
export function approveChanges(options: ApproveOptions): Promise<ApproveResult> {
  return commitChange(options, (table) => Promise.resolve(planApproval(table, options)));
}

function planApproval(table: LoadedTable, { change, rules, ports }: ApproveOptions): PlannedChange<ApproveResult> {
  const { metadata } = table;
  const name = identText(table.ident);
  const all = waitingChanges(metadata.properties);
  const chosen = change === null ? all : all.filter(({ id }) => id === change);
  if (chosen.length === 0 && change !== null) throw noSuchChange(name, change, all);
  const before = tableFields(metadata);
  let fields = before;
  for (const waiting of chosen) {
    const now = deriveChange(before, waiting.writer, rules);
    if (!asShown(waiting, now)) throw changedSince(name, waiting);
    const { schema, lastColumnId, history } = deriveChange(fields, waiting.writer, rules);
    fields = { ...fields, current: schema, lastColumnId, history };
  }
  const ids = new Set(chosen.map(({ id }) => id));
  const changed = fields.current !== before.current;
  if (changed) refuseNewerTypes(fields.current, metadata['format-version'], name);
  return {
    request:
      chosen.length === 0
        ? null
        : {
            requirements: [
              { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
              { type: 'assert-current-schema-id', 'current-schema-id': metadata['current-schema-id'] },
              { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': metadata['last-column-id'] },
            ],
            updates: [
              ...(changed
                ? ([
                    { action: 'add-schema', schema: fields.current, 'last-column-id': fields.lastColumnId },
                    { action: 'set-current-schema', 'schema-id': -1 },
                    { action: 'set-properties', updates: { [FIELDS_PROPERTY]: JSON.stringify(fields.history) } },
                  ] as const)
                : []),
              { action: 'remove-properties', removals: [...ids].map(waitingProperty) },
            ],
            idempotencyKey: ports.ids.uuid(),
          },
    applied: (now) => waitingChanges(now.properties).every(({ id }) => !ids.has(id)),
    result: {
      table: name,
      changed,
      approved: chosen.map(shown),
      waiting: all.filter(({ id }) => !ids.has(id)).map(shown),
    },
  };
}

/** The same changes as its id names, or none: others have made them meanwhile. */
function asShown({ id }: WaitingChange, { changes, incompatible, dropped }: DerivedChange): boolean {
  if (incompatible.length > 0 || dropped.length > 0) return false;
  return changes.length === 0 || changeId(changes) === id;
}

function shown({ id, schema, changes }: WaitingChange): ApproveResult['approved'][number] {
  return { id, schema, changes };
}

function noSuchChange(table: string, change: string, all: readonly WaitingChange[]): TabletopicError {
  return new TabletopicError('USAGE', `No change ${change} of ${table} waits for approval.`, {
    hint: `What waits: ${all.map(({ id, changes }) => `${id} (${changes.join(', ')})`).join('; ') || 'nothing'}.`,
    where: { table },
  });
}

function changedSince(table: string, { id, changes }: WaitingChange): TabletopicError {
  return new TabletopicError(
    'TABLE_CHANGED',
    `${table} has changed since ${id} (${changes.join(', ')}) was proposed; nothing was changed`,
    {
      hint: 'The service proposes anew what is left within seconds: look at `tabletopic status` again.',
      where: { table, change: id },
    },
  );
}
