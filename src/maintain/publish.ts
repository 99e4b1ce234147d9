import { moveBranch } from '../commit/attempt.ts';
import { knownOf } from '../commit/known.ts';
import { lookupStatement, offsetsKeys } from '../commit/lookup.ts';
import { checkpointProperty, encodeStatement } from '../commit/statement.ts';
import { TabletopicError } from '../errors.ts';
import { branchHead, walkAncestors } from '../iceberg/ancestry.ts';
import { type LoadedTable, identText } from '../iceberg/catalog.ts';
import { type ChangeTarget, type PlannedChange, commitChange } from './change.ts';
import { publishingOf } from './fork.ts';
import { assertHead } from './offsets-snapshot.ts';

export interface PublishResult {
  readonly table: string;
  readonly branch: string;
  /** Main's head before; null: main had no snapshot. */
  readonly from: string | null;
  /** Main's head now, which is the branch's. */
  readonly to: string;
  /** Snapshots, and rows in all, that came to main. */
  readonly snapshots: number;
  readonly addedRows: number;
}

export interface PublishOptions extends Pick<ChangeTarget, 'ports'> {
  readonly address: Omit<ChangeTarget['address'], 'branch'>;
  /** What is published to main. */
  readonly branch: string;
}

const MAIN = 'main';

/**
 * Puts main at a branch's head, where main has not moved since the branch left it (write-audit-publish). Only by
 * fast-forward: a snapshot that is picked from a branch would bring rows without the offsets that belong to them.
 *
 * Rejects with `BRANCH_DIVERGED`, and with `USAGE` when there is no such branch.
 *
 * Breaks: test/maintain/publish.test.ts, "is refused once main has moved",
 * "main moves between the look and the commit".
 */
export function publishBranch(options: PublishOptions): Promise<PublishResult> {
  const { address, ports } = options;
  return commitChange({ address: { ...address, branch: MAIN }, ports }, (table) =>
    Promise.resolve(planPublish(table, options)),
  );
}

function divergedHint(base: string | null): string {
  const fresh =
    'Write the table on a fresh branch (another name in `branch`), which begins at main with main’s offsets, and publish that.';
  return base === null
    ? fresh
    : `${fresh} Or stop the service that writes main, put main back to where the branch left it (\`tabletopic rollback --to ${base}\`), and publish again: what main got since is read again after the branch’s offsets.`;
}

function planPublish(table: LoadedTable, { branch, ports }: PublishOptions): PlannedChange<PublishResult> {
  const { metadata } = table;
  const name = identText(table.ident);
  const to = branchHead(metadata, branch);
  if (to === null || branch === MAIN)
    throw new TabletopicError(
      'USAGE',
      branch === MAIN ? 'main is what branches are published to.' : `${name} has no branch ${branch}.`,
      {
        hint: `Branches: ${
          Object.entries(metadata.refs ?? {})
            .filter(([ref, { type }]) => type === 'branch' && ref !== MAIN)
            .map(([ref]) => ref)
            .join(', ') || 'none'
        }. A table is written on one by \`branch: NAME\` in its rule.`,
        where: { table: name },
      },
    );
  const from = branchHead(metadata, MAIN);
  const { ancestors, end } = walkAncestors(metadata, to);
  const at = from === null ? ancestors.length : ancestors.findIndex((snapshot) => snapshot['snapshot-id'] === from);
  if (at < 0 || (from === null && end.kind !== 'root'))
    throw new TabletopicError(
      'BRANCH_DIVERGED',
      `main of ${name} stands at snapshot ${from}, which is not in the history of branch ${branch}.`,
      { hint: divergedHint(publishingOf(metadata, branch).base), where: { table: name, branch } },
    );
  const added = ancestors.slice(0, at);
  const result: PublishResult = {
    table: name,
    branch,
    from: from === null ? null : String(from),
    to: String(to),
    snapshots: added.length,
    addedRows: added.reduce(
      (sum, { summary }) => sum + Number(summary?.['added-records'] ?? 0) - Number(summary?.['deleted-records'] ?? 0),
      0,
    ),
  };
  const statement =
    lookupStatement(table, branch, offsetsKeys).kind === 'found' ? knownOf(table, branch)?.statement : null;
  return {
    request:
      from === to
        ? null
        : {
            requirements: [
              { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
              assertHead(metadata, MAIN),
              assertHead(metadata, branch),
            ],
            updates: [
              moveBranch(metadata, MAIN, to),
              // Stated for main too, so that an expiry of the branch takes nothing away.
              ...(statement
                ? [
                    {
                      action: 'set-properties',
                      updates: { [checkpointProperty(MAIN)]: encodeStatement(statement, to) },
                    } as const,
                  ]
                : []),
            ],
            idempotencyKey: ports.ids.uuid(),
          },
    applied: (now) => branchHead(now, MAIN) === to,
    result,
  };
}
