import { MAX_CHECKPOINT_AGE, judge } from './judge.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { OffsetsMap } from './commit.ts';
import type { Known } from './known.ts';
import type { Pending } from './pending.ts';

/** Most checkpoints of others in one snapshot: its summary names each range of them. */
const MOST_CARRIED = 256;

/** How far the clock of another instance may be ahead, ms; beyond, its checkpoint's age is not to be trusted. */
const MAX_CLOCK_AHEAD = 5 * 60_000;

export interface Combined {
  readonly others: readonly Checkpoint[];
  /** The vector after all of them. */
  readonly offsets: OffsetsMap;
}

/**
 * Which pending checkpoints of others go into the snapshot beside one's own. Pure.
 *
 * Invariants 2 and 3, for each of them (TRACES A2, A4, A6, A8): they are applied one after another to the running vector,
 * and one that does not begin exactly where it stands, is of another history, topic, cluster or table, is in the table
 * already or is too old is passed over. So of two that state the same range one at most gets in, and a stale or foreign
 * object can at worst be ignored.
 *
 * `running`: the vector after one's own checkpoint. `now`: wall clock, ms.
 *
 * Breaks: test/commit/combining.sim.test.ts, "what others have published goes along", "one at most goes along",
 * "A8: one that is as old", "one %s", "A4: a zombie’s object".
 */
export function combine(
  ownId: string,
  running: OffsetsMap,
  pending: readonly Pending[],
  known: Known,
  branch: string,
  now: number,
): Combined {
  const others: Checkpoint[] = [];
  const taken = new Set([ownId]);
  let offsets = running;
  for (const candidate of inOrder(pending)) {
    const { checkpoint, preparedAt } = candidate;
    const age = now - preparedAt;
    // An id stands for one checkpoint: a second object with it would make a receipt for other ranges.
    if (candidate.branch !== branch || age < -MAX_CLOCK_AHEAD || taken.has(checkpoint.id)) continue;
    const verdict = judge(checkpoint, known, branch, offsets, age);
    if (verdict.kind !== 'fits') continue;
    taken.add(checkpoint.id);
    others.push(checkpoint);
    offsets = verdict.offsets;
    if (others.length === MOST_CARRIED) break;
  }
  return { others, offsets };
}

/**
 * Whether a pending object can never be committed again on this branch's history: whoever sees it removes it. Removing
 * is harmless at any time, as its owner tries from memory (TRACES B4).
 */
export function isOutlived(
  { checkpoint, branch, preparedAt }: Pending,
  known: Known,
  ownBranch: string,
  now: number,
): boolean {
  if (now - preparedAt >= MAX_CHECKPOINT_AGE) return true;
  if (known.table.metadata['table-uuid'] !== checkpoint.tableUuid) return true;
  if (branch !== ownBranch) return false;
  return checkpoint.ranges.some(({ topic, partition, start }) => {
    const offsets = known.offsets?.[topic];
    return offsets?.id === checkpoint.topics[topic]!.id && start < (offsets.next[partition] ?? 0);
  });
}

/** The oldest first: none waits because younger ones come before it. */
function inOrder(pending: readonly Pending[]): readonly Pending[] {
  return pending.toSorted((a, b) => a.preparedAt - b.preparedAt || (a.checkpoint.id < b.checkpoint.id ? -1 : 1));
}
