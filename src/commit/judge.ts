import { historySince } from './history.ts';
import { replayStands } from './replay.ts';
import { applyRanges } from './vector.ts';
import { currentSchema } from '../iceberg/metadata.ts';
import { missingField } from '../schema/fields-of.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { OffsetsMap } from './commit.ts';
import type { Known } from './known.ts';

/** Oldest checkpoint that may be committed, ms: far below any age at which orphan removal deletes its files (TRACES A8). */
export const MAX_CHECKPOINT_AGE = 60 * 60 * 1000;

export type Verdict =
  /** It may be committed on this state; `offsets` is the vector after it. */
  | { readonly kind: 'fits'; readonly offsets: OffsetsMap }
  /** It is in the branch's history already. */
  | { readonly kind: 'committed'; readonly snapshotId: bigint }
  /** The loaded snapshots do not decide. */
  | { readonly kind: 'partial' }
  /** `intact`: every snapshot since the cut is known and none holds the checkpoint: its files were never in a table. */
  | { readonly kind: 'dropped'; readonly reason: string; readonly intact: boolean };

/**
 * Whether a checkpoint may be committed on a state, given the running vector. Pure.
 *
 * Invariants 2, 3 and 5: it starts exactly where the vector stands, all ranges or none; it belongs to this history and
 * is in none of its snapshots; topic and cluster are still the table's; it is younger than an hour; its spec is still
 * the default and its field ids are all in the current schema. A replay has no ranges: what stands for them is
 * `replayStands`.
 *
 * Breaks: test/commit/judge.test.ts, "rows are not for a table without a snapshot";
 * test/commit/traces.sim.test.ts, "too old for its files"; test/commit/progress.sim.test.ts, "another default spec",
 * "a column that somebody dropped".
 */
export function judge(checkpoint: Checkpoint, known: Known, branch: string, running: OffsetsMap, age: number): Verdict {
  const { metadata } = known.table;
  if (metadata['table-uuid'] !== checkpoint.tableUuid)
    return { kind: 'dropped', reason: 'the table was replaced by another of the same name', intact: false };
  const history = historySince(known.table, branch, checkpoint.lastSequenceNumber, checkpoint.id);
  if (history.kind === 'committed' || history.kind === 'partial') return history;
  const intact = history.kind === 'intact';
  const dropped = (reason: string): Verdict => ({ kind: 'dropped', reason, intact });
  if (history.kind === 'stale') return dropped(history.reason);
  if (checkpoint.replay !== undefined) {
    const stands = replayStands(checkpoint.replay, known, branch);
    if (stands.kind === 'partial') return stands;
    if (stands.kind === 'void') return dropped(stands.reason);
  }
  if (age >= MAX_CHECKPOINT_AGE)
    return dropped(`the checkpoint is ${Math.round(age / 60_000)} minutes old: its files may be taken for orphans`);
  if (known.headSnapshotId === null) return dropped('the table has no snapshot: rows are never its first');
  if (metadata['default-spec-id'] !== checkpoint.specId) {
    return dropped(
      `the default partition spec is ${metadata['default-spec-id']}, the files follow ${checkpoint.specId}`,
    );
  }
  const current = currentSchema(metadata);
  const written = metadata.schemas.find((schema) => schema['schema-id'] === checkpoint.schemaId);
  const missing = !written ? '(unknown schema id)' : written === current ? null : missingField(written, current);
  if (missing !== null) return dropped(`the table no longer has the column ${missing} that the files have`);
  const applied = applyRanges(running, checkpoint.ranges, checkpoint.topics);
  return applied.fits ? { kind: 'fits', offsets: applied.offsets } : dropped(applied.reason);
}
