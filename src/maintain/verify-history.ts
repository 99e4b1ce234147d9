import { type AccountedRange, decodeAccounted } from '../commit/accounted.ts';
import type { OffsetsMap } from '../commit/commit.ts';
import { deadLetterCount } from '../commit/dead-letter-list.ts';
import { branchHead, lookupStatement, offsetsKeys, snapshotsById } from '../commit/lookup.ts';
import { REPLAYED, type Replayed, decodeReplayed } from '../commit/replayed.ts';
import {
  ACCOUNTED,
  CHECKPOINTS,
  OFFSETS,
  OFFSETS_PREV,
  type Statement,
  decodeCheckpoints,
  decodeStatement,
} from '../commit/statement.ts';
import type { LoadedTable } from '../iceberg/catalog.ts';
import type { Snapshot } from '../iceberg/metadata.ts';
import { ADOPTED, type Adopted, decodeAdopted } from './adopted.ts';
import type { Finding, OtherWriter, PartitionVerified } from './verify.ts';

/**
 * A range, whether it is of a log that is no more (see `Adopted`), and how many of its rows were dead letters first: what
 * was replayed counts as rows, and as dead letters no longer.
 */
export type RangeOnRecord = AccountedRange & {
  readonly ended?: true;
  readonly replayed?: number;
  /** Checkpoints of its snapshot: what a replay names it by. */
  readonly checkpoints: readonly string[];
};

/** Offsets [first, next) of a log that is no more: rows with these positions may be there beside those of the present log. */
export interface EndedLog {
  readonly topic: string;
  readonly partition: number;
  readonly first: number;
  readonly next: number;
}

/** The metadata level of `verify`: what the snapshots of the branch say, and whether it agrees with itself. */
export interface History {
  readonly complete: boolean;
  readonly snapshots: number;
  readonly ranges: readonly RangeOnRecord[];
  readonly duplicates: readonly Finding[];
  readonly missing: readonly Finding[];
  readonly problems: readonly string[];
  readonly others: readonly OtherWriter[];
  readonly partitions: readonly PartitionVerified[];
  readonly ended: readonly EndedLog[];
  /** Gaps that the table states, by topic and partition: skipped knowingly. */
  readonly offsets: OffsetsMap;
}

/** Pure: reads nothing but the loaded metadata, which must hold all snapshots. */
export function verifyHistory({ metadata }: LoadedTable, branch: string): History {
  const head = branchHead(metadata, branch);
  const { ancestry, complete } = walk(snapshotsById(metadata), head);
  const met = new Set(ancestry.map((snapshot) => snapshot['snapshot-id']));
  // What expired snapshots adopted cannot be told from what a rollback has undone: it counts.
  const adopted = decodeAdopted(metadata.properties?.[ADOPTED]).filter(
    ({ snapshot }) => !complete || met.has(snapshot),
  );
  const ledger = new Ledger(adopted, complete);
  for (const snapshot of ancestry) ledger.take(snapshot);
  const looked = head === null ? null : lookupStatement({ metadata, partial: false }, branch, offsetsKeys);
  if (looked?.kind === 'ambiguous')
    ledger.problems.push(`the history breaks at snapshot ${looked.missing}, and no statement of offsets is about it`);
  else if (looked?.kind === 'never')
    ledger.problems.push(
      looked.held
        ? 'the table once held offsets, and its history no longer does'
        : 'no snapshot of the history states offsets: tabletopic never wrote to this branch',
    );
  return ledger.result(complete, ancestry);
}

/** Ancestors from the oldest that still exists to the head. */
function walk(
  snapshots: ReadonlyMap<bigint, Snapshot>,
  head: bigint | null,
): { ancestry: Snapshot[]; complete: boolean } {
  const ancestry: Snapshot[] = [];
  const seen = new Set<bigint>();
  let id = head;
  while (id !== null && !seen.has(id)) {
    const snapshot = snapshots.get(id);
    if (!snapshot) return { ancestry: ancestry.reverse(), complete: false };
    seen.add(id);
    ancestry.push(snapshot);
    id = snapshot['parent-snapshot-id'] ?? null;
  }
  return { ancestry: ancestry.reverse(), complete: true };
}

/** Goes through the snapshots in the order of their making and keeps, for each partition, where it must go on. */
class Ledger {
  readonly problems: string[] = [];
  readonly #adopted: readonly Adopted[];
  #ranges: RangeOnRecord[] = [];
  readonly #duplicates: Finding[] = [];
  readonly #missing: Finding[] = [];
  readonly #others: OtherWriter[] = [];
  /** Where each partition's record begins, and where it stands. */
  readonly #from = new Map<string, number>();
  readonly #next = new Map<string, number>();
  #statement: Statement | null = null;

  /** False: the oldest snapshots have expired, and their ranges are not on record. */
  readonly #complete: boolean;

  constructor(adopted: readonly Adopted[], complete: boolean) {
    this.#adopted = adopted;
    this.#complete = complete;
  }

  take(snapshot: Snapshot): void {
    const id = snapshot['snapshot-id'];
    if (snapshot.summary?.[OFFSETS] === undefined) {
      if (snapshot.summary?.[ACCOUNTED] !== undefined)
        this.problems.push(`snapshot ${id} accounts for ranges but states no offsets`);
      this.#other(snapshot);
      return;
    }
    const statement = this.#read(id, snapshot, OFFSETS, decodeStatement);
    if (!statement) return;
    for (const { topic, ended } of this.#adopted.filter((entry) => entry.snapshot === id))
      for (const [partition] of ended) this.#end(topic, partition, statement);
    this.#begin(id, snapshot, statement);
    const ranges = this.#accounted(id, snapshot);
    const checkpoints = decodeCheckpoints(snapshot.summary?.[CHECKPOINTS]);
    for (const range of ranges) this.#join(id, { ...range, checkpoints });
    const replays = this.#read(id, snapshot, REPLAYED, decodeReplayed) ?? [];
    for (const replayed of replays) this.#replay(id, replayed);
    this.#agree(id, statement);
    this.#sums(id, snapshot, ranges, replays, statement);
    this.#statement = statement;
  }

  /** The first statement that is met says where the record begins: after its parent's offsets, or at the first ones. */
  #begin(id: bigint, snapshot: Snapshot, statement: Statement): void {
    const before = this.#read(id, snapshot, OFFSETS_PREV, decodeStatement);
    if (
      this.#statement &&
      before &&
      JSON.stringify(positions(before.offsets)) !== JSON.stringify(positions(this.#statement.offsets))
    ) {
      this.problems.push(`snapshot ${id} states other offsets for its parent than the history does`);
    }
    if (!this.#statement) this.#statement = before;
    for (const [topic, { first, next }] of Object.entries(statement.offsets)) {
      next.forEach((_, partition) => {
        const key = partitionKey(topic, partition);
        if (this.#next.has(key)) return;
        const start = before?.offsets[topic]?.next[partition] ?? first[partition]!;
        this.#from.set(key, start);
        this.#next.set(key, start);
      });
    }
  }

  /** Another log goes on under the name of this one: its record begins where the statement says. */
  #end(topic: string, partition: number, statement: Statement): void {
    this.#ranges = this.#ranges.map((range) =>
      range.topic === topic && range.partition === partition ? { ...range, ended: true } : range,
    );
    const key = partitionKey(topic, partition);
    const next = statement.offsets[topic]?.next[partition];
    this.#from.delete(key);
    this.#next.delete(key);
    if (next === undefined) return;
    this.#from.set(key, next);
    this.#next.set(key, next);
  }

  #accounted(id: bigint, snapshot: Snapshot): readonly AccountedRange[] {
    const ranges = this.#read(id, snapshot, ACCOUNTED, decodeAccounted) ?? [];
    return ranges.sort((a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition || a.start - b.start);
  }

  /** Dead letters of an earlier range are rows now. A range whose snapshot has expired is not on record. */
  #replay(id: bigint, { checkpointId, topic, partition, start, end, rows }: Replayed): void {
    const at = this.#ranges.findIndex(
      (range) =>
        range.checkpoints.includes(checkpointId) &&
        range.topic === topic &&
        range.partition === partition &&
        range.start === start &&
        range.end === end,
    );
    const where = `snapshot ${id} replays ${rows} dead letters of ${topic}[${partition}] offsets ${start} to ${end - 1}`;
    const range = this.#ranges[at];
    if (range === undefined) {
      if (this.#complete) this.problems.push(`${where}, which no earlier snapshot accounts for`);
      return;
    }
    if (range.accounted.deadLetters < rows)
      this.problems.push(`${where}, of which ${range.accounted.deadLetters} are dead`);
    const { accounted } = range;
    this.#ranges[at] = {
      ...range,
      replayed: (range.replayed ?? 0) + rows,
      accounted: { ...accounted, rows: accounted.rows + rows, deadLetters: accounted.deadLetters - rows },
    };
  }

  #join(id: bigint, range: RangeOnRecord): void {
    const { topic, partition, start, end } = range;
    const key = partitionKey(topic, partition);
    const next = this.#next.get(key);
    if (next === undefined) this.#from.set(key, start);
    else this.#compare(topic, partition, next, start, `snapshot ${id}`);
    this.#next.set(key, Math.max(end, next ?? end));
    this.#ranges.push(range);
  }

  /** The statement of a snapshot must stand where its ranges end. */
  #agree(id: bigint, statement: Statement): void {
    for (const [topic, { next }] of Object.entries(statement.offsets)) {
      next.forEach((stated, partition) => {
        const key = partitionKey(topic, partition);
        this.#compare(topic, partition, this.#next.get(key)!, stated, `the offsets of snapshot ${id}`);
        this.#next.set(key, stated);
      });
    }
    for (const [key, next] of this.#next) {
      const [topic, partition] = JSON.parse(key) as [string, number];
      if (statement.offsets[topic]?.next[partition] === undefined)
        this.problems.push(
          `snapshot ${id} no longer states an offset for ${topic}[${partition}], which stood at ${next}`,
        );
    }
  }

  #compare(topic: string, partition: number, expected: number, actual: number, who: string): void {
    if (actual > expected)
      this.#missing.push({
        topic,
        partition,
        from: expected,
        to: actual,
        count: actual - expected,
        reason: `${who} begins at ${actual}, and the history ends at ${expected}`,
      });
    if (actual < expected)
      this.#duplicates.push({
        topic,
        partition,
        from: actual,
        to: expected,
        count: expected - actual,
        reason: `${who} begins at ${actual}, and the history ends at ${expected}`,
      });
  }

  #sums(
    id: bigint,
    snapshot: Snapshot,
    ranges: readonly AccountedRange[],
    replays: readonly Replayed[],
    statement: Statement,
  ): void {
    const replayed = replays.reduce((total, range) => total + range.rows, 0);
    const rows = ranges.reduce((total, range) => total + range.accounted.rows, replayed);
    const added = Number(snapshot.summary?.['added-records'] ?? 0);
    if (rows !== added) this.problems.push(`snapshot ${id} accounts for ${rows} rows and added ${added}`);
    // What was listed before the first statement that can be seen is not known: offsets adopted after the history was lost.
    if (this.#statement === null && !this.#complete) return;
    const dead = ranges.reduce((total, range) => total + range.accounted.deadLetters, -replayed);
    const listed =
      deadLetterCount(statement.deadLetters) - (this.#statement ? deadLetterCount(this.#statement.deadLetters) : 0);
    if (dead !== listed) this.problems.push(`snapshot ${id} accounts for ${dead} dead letters and lists ${listed}`);
  }

  #other(snapshot: Snapshot): void {
    const {
      operation = 'append',
      'added-records': added = '0',
      'deleted-records': deleted = '0',
      'added-position-deletes': positions = '0',
      'added-equality-deletes': equalities = '0',
    } = snapshot.summary ?? {};
    const deletes = Number(positions) + Number(equalities);
    this.#others.push({
      snapshotId: String(snapshot['snapshot-id']),
      operation,
      addedRows: Number(added),
      removedRows: Number(deleted),
      ...(deletes === 0 ? {} : { deletes }),
    });
  }

  /** What a property of the snapshot's summary says; null where it is not there, or cannot be read. */
  #read<T>(id: bigint, { summary }: Snapshot, key: string, decode: (text: string) => T): T | null {
    const text = summary?.[key];
    if (text === undefined) return null;
    try {
      return decode(text);
    } catch (error) {
      this.problems.push(`snapshot ${id}: ${key} cannot be read: ${(error as Error).message}`);
      return null;
    }
  }

  result(complete: boolean, ancestry: readonly Snapshot[]): History {
    const total = ancestry.at(-1)?.summary?.['total-records'];
    const rows = this.#ranges.reduce((sum, range) => sum + range.accounted.rows, 0);
    const expected = this.#others.reduce((sum, other) => sum + other.addedRows - other.removedRows, rows);
    if (complete && total !== undefined && Number(total) !== expected)
      this.problems.push(`the head has ${total} rows in all, and its history adds up to ${expected}`);
    return {
      complete,
      snapshots: ancestry.length,
      ranges: this.#ranges,
      duplicates: this.#duplicates,
      missing: this.#missing,
      problems: this.problems,
      others: this.#others,
      ended: this.#adopted.flatMap(({ topic, ended }) =>
        ended.map(([partition, first, next]) => ({ topic, partition, first, next })),
      ),
      offsets: this.#statement?.offsets ?? {},
      partitions: [...this.#next]
        .map(([key, next]) => this.#partition(key, next))
        .sort((a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition),
    };
  }

  #partition(key: string, next: number): PartitionVerified {
    const [topic, partition] = JSON.parse(key) as [string, number];
    const totals = { rows: 0, deadLetters: 0, aborted: 0, control: 0, absent: 0 };
    let [replayed, elsewhere] = [0, 0];
    for (const range of this.#ranges) {
      if (range.topic !== topic || range.partition !== partition || range.ended) continue;
      for (const kind of Object.keys(totals) as (keyof typeof totals)[]) totals[kind] += range.accounted[kind];
      elsewhere += range.accounted.elsewhere ?? 0;
      replayed += range.replayed ?? 0;
    }
    return { topic, partition, from: this.#from.get(key)!, next, ...totals, elsewhere, replayed };
  }
}

function positions(offsets: OffsetsMap): unknown {
  return Object.keys(offsets)
    .sort()
    .map((topic) => [topic, offsets[topic]!.next]);
}

function partitionKey(topic: string, partition: number): string {
  return JSON.stringify([topic, partition]);
}
