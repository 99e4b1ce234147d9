import type { Logger } from 'pino';
import type { Committer, TableState } from '../commit/commit.ts';
import type { DeadLetterEntry } from '../commit/dead-letter-list.ts';
import type { DeadLetterRow } from '../commit/dead-letter-schema.ts';
import { LetterSet } from '../commit/letter-set.ts';
import type { LetterId } from '../commit/letter-set.ts';
import { momentOf } from '../commit/prepare.ts';
import { deadByList, prepareReplay } from '../commit/replay.ts';
import { TabletopicError, asTabletopicError } from '../errors.ts';
import type { LoadedTable } from '../iceberg/catalog.ts';
import type { FileIO } from '../io/file-io.ts';
import type { DeadLetter } from '../pipeline/ranges.ts';
import type { Ports } from '../ports.ts';
import type { Redecode } from './redecode.ts';
import { withRetry } from './retry.ts';

/** Which dead letters; null: whichever. */
export interface ReplaySelection {
  readonly topic: string | null;
  /** Error code. */
  readonly code: string | null;
  /** Offsets [from, to], both included. */
  readonly offsets: { readonly partition: number; readonly from: number; readonly to: number } | null;
  /** Record time (ms): those at it and after it; a record without a time is none of them. */
  readonly since: number | null;
}

export interface ReplayProgress {
  /** Dead letters that were tried. */
  readonly selected: number;
  /** Of these, those that are rows now (in a dry run: would be). */
  readonly replayed: number;
  /** The others, by code and reason. */
  readonly failed: readonly {
    readonly code: string;
    readonly reason: string;
    readonly count: number;
    readonly example: { readonly topic: string; readonly partition: number; readonly offset: number };
  }[];
  /** Ids of the snapshots that hold the rows. */
  readonly snapshots: readonly string[];
}

export interface ReplayWorkOptions {
  readonly committer: Committer;
  readonly redecode: Pick<Redecode, 'run'>;
  readonly io: (table: LoadedTable) => FileIO;
  readonly ports: Ports;
  readonly logger: Logger;
  /** Decodes, and commits nothing. */
  readonly dryRun: boolean;
}

/** Bounds of one commit: bytes of records, records, and checkpoints that its summary names. */
const MOST_BYTES = 16 << 20;
const MOST_RECORDS = 100_000;
const MOST_CHECKPOINTS = 64;

interface Chosen {
  readonly base: TableState;
  readonly entries: readonly DeadLetterEntry[];
  readonly rows: readonly DeadLetterRow[];
  /** Checkpoints of which every chosen record is among the rows. */
  readonly whole: readonly string[];
}

/**
 * Dead letters in, rows of the main table out, by the protocol of `commit/replay.ts`: choose on one state, decode, commit;
 * what was dropped because the table has changed meanwhile is chosen anew.
 */
export class Replay {
  readonly #o: ReplayWorkOptions;
  /** Tried in this run: decoded in vain, or (dry) in success. */
  readonly #tried = new LetterSet();
  /** Checkpoints without anything left to try. */
  readonly #done = new Set<string>();
  readonly #failed = new Map<string, ReplayProgress['failed'][number]>();
  readonly #snapshots: string[] = [];
  #selected = 0;
  #replayed = 0;

  constructor(options: ReplayWorkOptions) {
    this.#o = options;
  }

  async run(selection: ReplaySelection, signal: AbortSignal): Promise<ReplayProgress> {
    for (;;) {
      signal.throwIfAborted();
      const chosen = await this.#retry('choose dead letters', signal, () => this.#choose(selection));
      if (chosen.rows.length === 0) break;
      await this.#try(chosen, signal);
    }
    return {
      selected: this.#selected,
      replayed: this.#replayed,
      failed: [...this.#failed.values()],
      snapshots: this.#snapshots,
    };
  }

  async #choose(selection: ReplaySelection): Promise<Chosen> {
    const base = await this.#o.committer.refresh();
    const entries: DeadLetterEntry[] = [];
    const rows: DeadLetterRow[] = [];
    const whole: string[] = [];
    let bytes = 0;
    // Two logs that had one name may each have a record at an offset: not both in one commit.
    const positions = new Set<string>();
    const io = this.#o.io(base.table);
    const skip = (entry: DeadLetterEntry): boolean =>
      this.#done.has(entry.checkpointId) || !entry.ranges.some((range) => mayHold(range, selection));
    for await (const { entry, rows: dead } of deadByList(base.deadLetters, io, skip)) {
      const wanted = dead.filter((row) => matches(row, selection) && !this.#tried.has(row));
      let taken = 0;
      for (const row of wanted) {
        if (bytes >= MOST_BYTES || rows.length >= MOST_RECORDS || positions.has(positionOf(row))) break;
        positions.add(positionOf(row));
        rows.push(row);
        bytes += sizeOf(row);
        taken++;
      }
      if (taken > 0) entries.push(entry);
      if (taken < wanted.length) break;
      whole.push(entry.checkpointId);
      if (entries.length === MOST_CHECKPOINTS) break;
    }
    return { base, entries, rows, whole };
  }

  async #try({ base, entries, rows, whole }: Chosen, signal: AbortSignal): Promise<void> {
    const { committer, redecode, io, ports, logger, dryRun } = this.#o;
    const begunAt = momentOf(ports);
    const { files, failed, schemaId, specId } = await redecode.run(rows);
    const positions = new Set(failed.map(positionOf));
    const again = new LetterSet().addAll(rows.filter((row) => positions.has(positionOf(row))));
    const letters = new LetterSet().addAll(rows.filter((row) => !again.has(row)));
    if (letters.size > 0 && !dryRun) {
      const store = io(committer.state!.table);
      const replay = { base, files, letters, entries, schemaId, specId, begunAt };
      const prepared = await this.#retry('write the manifest', signal, () =>
        prepareReplay(replay, committer.state!, { io: store, ports }),
      );
      const result = await this.#retry('commit', signal, () => committer.commit(prepared, signal));
      if (result.kind === 'dropped') {
        logger.warn({ reason: result.reason }, 'the table has changed meanwhile: what is dead is looked up again');
        return;
      }
      this.#snapshots.push(String(result.receipt.snapshotId));
    }
    this.#replayed += letters.size;
    this.#selected += rows.length;
    this.#tried.addAll(dryRun ? rows : again);
    for (const letter of failed) this.#count(letter);
    for (const id of whole) this.#done.add(id);
  }

  #count({ code, reason, topic, partition, offset }: DeadLetter): void {
    const key = JSON.stringify([code, reason]);
    const known = this.#failed.get(key);
    const count = (known?.count ?? 0) + 1;
    this.#failed.set(key, { code, reason, count, example: known?.example ?? { topic, partition, offset } });
  }

  #retry<T>(what: string, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
    const { ports, logger } = this.#o;
    return withRetry({ ports, logger, signal, what }, () =>
      attempt().catch((thrown: unknown) => {
        const error = asTabletopicError(thrown);
        if (error.code !== 'DEAD_LETTERS_UNREADABLE') throw error;
        // A person waits here, and waiting brings no file back.
        throw new TabletopicError('STORAGE_NOT_FOUND', error.message, { cause: error, where: error.where });
      }),
    );
  }
}

function mayHold(
  [topic, partition, start, end]: DeadLetterEntry['ranges'][number],
  { topic: only, offsets }: ReplaySelection,
): boolean {
  if (only !== null && topic !== only) return false;
  return offsets === null || (partition === offsets.partition && start <= offsets.to && offsets.from < end);
}

function matches(row: DeadLetterRow, { topic, code, offsets, since }: ReplaySelection): boolean {
  const offset = Number(row.offset);
  return (
    (topic === null || row.topic === topic) &&
    (code === null || row.code === code) &&
    (offsets === null || (row.partition === offsets.partition && offset >= offsets.from && offset <= offsets.to)) &&
    (since === null || (row.timestamp !== null && row.timestamp >= BigInt(since) * 1000n))
  );
}

function sizeOf({ key, value, headers }: DeadLetterRow): number {
  const ofHeaders = headers.reduce((sum, header) => sum + header.key.length + (header.value?.length ?? 0), 0);
  return (key?.length ?? 0) + (value?.length ?? 0) + ofHeaders;
}

function positionOf({ topic, partition, offset }: Pick<LetterId, 'topic' | 'partition' | 'offset'>): string {
  return JSON.stringify([topic, partition, Number(offset)]);
}
