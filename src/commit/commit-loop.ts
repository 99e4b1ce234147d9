import { Backoff } from './backoff.ts';
import { buildAttempt } from './attempt.ts';
import { combine } from './combine.ts';
import { onSameHead } from './head-moved.ts';
import { judge } from './judge.ts';
import { ageOf, ownFiles } from './prepare.ts';
import type { Logger } from 'pino';
import type { CommitOutcome, LoadedTable } from '../iceberg/catalog.ts';
import type { FileIO } from '../io/file-io.ts';
import type { Ports } from '../ports.ts';
import type { CommitResult, OffsetRange, TableState } from './commit.ts';
import type { Verdict } from './judge.ts';
import type { Prepared } from './prepare.ts';
import type { Combining } from './combining.ts';
import type { ManifestMerges } from './manifest-merges.ts';
import type { TableSession } from './session.ts';
import { TabletopicError } from '../errors.ts';

const MINT = Symbol('mint');

/**
 * Proof that a checkpoint is in the table.
 *
 * Invariant 6: it is the only key that moves Kafka offsets, and only the commit loop below can mint one: the
 * constructor wants a symbol that does not leave this file.
 *
 * Breaks: test/commit/committer.test.ts, "cannot be made elsewhere".
 */
export class Receipt {
  readonly checkpointId: string;
  readonly snapshotId: bigint;
  readonly ranges: readonly OffsetRange[];
  readonly state: TableState;
  readonly #key: symbol;

  constructor(key: symbol, fields: Pick<Receipt, 'checkpointId' | 'snapshotId' | 'ranges' | 'state'>) {
    if (key !== MINT) throw new TabletopicError('INTERNAL', 'a receipt is minted by a commit only');
    this.#key = key;
    this.checkpointId = fields.checkpointId;
    this.snapshotId = fields.snapshotId;
    this.ranges = fields.ranges;
    this.state = fields.state;
  }

  static is(value: unknown): value is Receipt {
    return typeof value === 'object' && value !== null && #key in value && value.#key === MINT;
  }
}

/** What became of one attempt, for telemetry. */
export type AttemptOutcome = 'committed' | 'conflict' | 'unknown' | 'dropped';

export interface CommitLoopOptions {
  readonly session: TableSession;
  readonly combining: Combining;
  readonly merging: ManifestMerges;
  readonly io: (table: LoadedTable) => FileIO;
  readonly ports: Ports;
  readonly logger: Pick<Logger, 'debug' | 'info' | 'warn'>;
  readonly onOutcome: (outcome: AttemptOutcome, reason: string) => void;
}

/**
 * Attempts of one call. Then it rejects with a code to be tried again, so that a service that cannot commit says so
 * (invariant 9); the checkpoint is as good as before.
 *
 * Breaks: test/commit/committer.test.ts, "again and again says so".
 */
export const ATTEMPTS = 20;

/** Bounds of the first and of later waits after a conflict or an unknown outcome, ms. */
const FIRST_WAIT = 50;
const LONGEST_WAIT = 5_000;

/**
 * Commits one checkpoint: judge it on the latest state, attempt, and after a conflict or an unknown outcome load again
 * and look for its own id, until it is in the table or no longer may be (invariants 2 to 5). Under contention the attempt
 * carries the pending checkpoints of others too, and others may carry this one.
 *
 * An error that left the table as it was (the catalog or the store is down) rejects; the same checkpoint may be given
 * again, and what was tried is remembered with it.
 *
 * Breaks: test/commit/progress.sim.test.ts, "derives again after each conflict".
 */
export async function commitCheckpoint(
  prepared: Prepared,
  options: CommitLoopOptions,
  signal: AbortSignal,
): Promise<CommitResult> {
  const { session, combining, merging, ports, logger, onOutcome } = options;
  const backoff = new Backoff(ports, FIRST_WAIT, LONGEST_WAIT);
  const { branch } = session.address;
  const offered = await combining.offer(prepared, session.known);
  // As the checkpoint's own manifest, what was merged is as good for its next attempt (invariant 3 guards both).
  const merges = merging.take();
  if (offered && merges.length === 0) await ports.clock.sleep(combining.pace, signal);
  let derived = true;
  let attempts = 0;
  for (;;) {
    signal.throwIfAborted();
    // Who has merged manifests goes first: the longer that waits, the more manifests there are.
    const lying = await combining.turn(prepared, session.known, merges.length > 0, signal);
    const [loaded, pending] = await Promise.all([
      // Under contention others have always been there since the cut: the head alone decides only whether it was carried.
      session.reload(combining.active && !lying.ownIsGone ? 'all' : 'refs'),
      lying.others(),
    ]);
    let known = loaded;
    let verdict: Verdict = judge(prepared, known, branch, known.offsets ?? {}, ageOf(prepared.preparedAt, ports));
    if (verdict.kind === 'partial') {
      known = await session.reload('all');
      verdict = judge(prepared, known, branch, known.offsets ?? {}, ageOf(prepared.preparedAt, ports));
    }
    if (verdict.kind === 'fits' && !derived && (await prepared.cut.derive?.(known)) === 'drop') {
      verdict = { kind: 'dropped', reason: 'derived again after a conflict, it no longer holds', intact: true };
    }
    derived = true;
    if (verdict.kind === 'committed') {
      // It is committed once (invariant 3): where another has done it, none of our attempts ever was or will be.
      const { snapshotIds, unknown } = prepared.attempts;
      if (!unknown && !snapshotIds.includes(verdict.snapshotId)) merging.giveBack(merges, options.io(known.table));
      combining.ended(prepared, known, null);
      return committed(prepared, verdict.snapshotId, known);
    }
    if (verdict.kind === 'dropped') {
      onOutcome('dropped', verdict.reason);
      combining.ended(prepared, known, null);
      await discard(prepared, verdict.intact, options, known);
      return { kind: 'dropped', reason: verdict.reason, state: known };
    }
    if (verdict.kind === 'partial')
      throw new TabletopicError('INTERNAL', 'the catalog gave only a part of the snapshots when asked for all');

    if (combining.meets(known) && (await combining.offer(prepared, known))) continue;
    combining.sweep(pending, known);
    const { others, offsets } = combine(prepared.id, verdict.offsets, pending, known, branch, ports.clock.now());
    const context = {
      io: options.io(known.table),
      ports,
      branch,
      listCache: session.listCache,
      number: prepared.attempts.snapshotIds.length,
      mergeLater: combining.active,
      merges,
    };
    const attempt = await onSameHead(session, known, () =>
      buildAttempt(known, [prepared, ...others], offsets, context),
    );
    if (attempt === null) continue;
    signal.throwIfAborted();
    prepared.attempts.snapshotIds.push(attempt.snapshotId);
    const sentAt = ports.clock.monotonic();
    let unknown = false;
    try {
      const outcome = await session.send(attempt, signal, () => (unknown = true));
      if (outcome.outcome === 'committed') {
        onOutcome('committed', '');
        const state = await session.current();
        combining.ended(prepared, state, others);
        merging.start(attempt.due, state.table.metadata, options.io(state.table));
        return committed(prepared, attempt.snapshotId, state);
      }
      const reason = outcome.outcome === 'conflict' ? outcome.reason : outcome.error.message;
      onOutcome(outcome.outcome, reason);
      logger.info(
        { checkpoint: prepared.id, snapshot: String(attempt.snapshotId), outcome: outcome.outcome, reason },
        'commit attempt',
      );
      derived = false;
      if (outcome.outcome === 'conflict') combining.conflict(prepared);
      if (++attempts === ATTEMPTS) throw outOfAttempts(outcome, session.name, attempts);
    } finally {
      if (unknown) prepared.attempts.unknown = true;
      else prepared.attempts.files.push(...attempt.files);
    }
    const took = ports.clock.monotonic() - sentAt;
    await combining.offer(prepared, known);
    await backoff.wait(signal, Math.max(took, combining.pace));
  }
}

export function outOfAttempts(
  outcome: Exclude<CommitOutcome, { outcome: 'committed' }>,
  table: string,
  attempts: number,
): TabletopicError {
  const [code, reason] =
    outcome.outcome === 'conflict'
      ? (['COMMIT_CONFLICT', outcome.reason] as const)
      : (['COMMIT_UNKNOWN', outcome.error.message] as const);
  return new TabletopicError(code, `${table}: not committed in ${attempts} attempts; the last one: ${reason}`, {
    where: { table },
  });
}

function committed(prepared: Prepared, snapshotId: bigint, state: TableState): CommitResult {
  return {
    kind: 'committed',
    receipt: new Receipt(MINT, { checkpointId: prepared.id, snapshotId, ranges: prepared.cut.ranges, state }),
  };
}

/**
 * Invariant 4: own files are deleted only if the checkpoint was never published and no attempt ended unknown: others may
 * have committed it, or be about to (TRACES A3). A refusal counts as definite only while every
 * snapshot since the cut is known and none of them holds the checkpoint: a resent request may be refused because it was
 * applied the first time. Everything else is left to orphan removal.
 *
 * Breaks: test/commit/traces.sim.test.ts, "the request may be on its way",
 * "nor where the checkpoint is never published"; test/commit/combining.sim.test.ts, "A3: once published".
 */
async function discard(
  prepared: Prepared,
  intact: boolean,
  { io, logger }: CommitLoopOptions,
  known: TableState,
): Promise<void> {
  const { attempts } = prepared;
  if (attempts.published || attempts.unknown || (attempts.snapshotIds.length > 0 && !intact)) return;
  try {
    await io(known.table).delete(ownFiles(prepared));
  } catch (error) {
    logger.warn({ checkpoint: prepared.id, err: error }, 'files of a dropped checkpoint are left to orphan removal');
  }
}
