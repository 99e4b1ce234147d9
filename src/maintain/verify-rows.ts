import { asTabletopicError } from '../errors.ts';
import type { DataFile } from '../iceberg/manifest-types.ts';
import type { FileIO } from '../io/file-io.ts';
import type { PositionBatch } from '../parquet/positions.ts';
import type { LiveFiles } from './live-files.ts';
import { OffsetBitmap } from './offset-bitmap.ts';
import type { Finding, OtherWriter } from './verify.ts';
import type { History } from './verify-history.ts';

/** Positions of the rows of a data file, in any order. */
export type PositionReader = (io: FileIO, file: DataFile) => AsyncIterable<PositionBatch>;

/** Files whose first rows are fetched while another is looked through. */
const readAhead = 4;
/** Findings that are named one by one; beyond that they are only counted. */
const namedLimit = 1000;
const holesLimit = 20;

interface RowsVerified {
  readonly rows: number;
  readonly duplicates: readonly Finding[];
  readonly missing: readonly Finding[];
  readonly problems: readonly string[];
  readonly others: readonly OtherWriter[];
}

/** The deep level of `verify`: every row of every live data file, against what the history has on record. */
export async function verifyRows(
  live: LiveFiles,
  history: History,
  read: (file: DataFile) => ReturnType<PositionReader>,
): Promise<RowsVerified> {
  const seen = new Seen(history);
  const problems: string[] = [];
  for await (const [file, batches] of ahead(live.data, read)) {
    let rows = 0;
    try {
      for await (const batch of batches) {
        rows += batch.rows;
        seen.add(batch, file.location);
      }
    } catch (thrown) {
      const error = asTabletopicError(thrown);
      if (error.code !== 'STORAGE_NOT_FOUND') throw error;
      problems.push(
        `data file ${file.location} with ${file.recordCount} rows is lost: the table names it and the store does not have it`,
      );
      continue;
    }
    if (rows !== file.recordCount)
      problems.push(`data file ${file.location} has ${rows} rows, and its manifest says ${file.recordCount}`);
  }
  if (seen.unplaced > 0 && history.others.every((other) => other.addedRows === 0))
    problems.push(`${seen.unplaced} rows have no position, and no other writer added any`);
  return {
    rows: seen.rows,
    duplicates: seen.duplicates,
    missing: missingRows(history, seen),
    problems: [...problems, ...seen.problems(), ...surplus(history, seen)],
    others: live.deletes.map((file) => ({
      snapshotId: file.location,
      operation: 'delete file',
      addedRows: 0,
      removedRows: file.recordCount,
    })),
  };
}

/** The files in order, each with its batches; the next few are being fetched meanwhile. */
async function* ahead(
  files: readonly DataFile[],
  read: (file: DataFile) => ReturnType<PositionReader>,
): AsyncGenerator<[DataFile, AsyncIterable<PositionBatch>]> {
  const started: Started[] = [];
  let next = 0;
  for (const file of files) {
    while (started.length < readAhead && next < files.length) started.push(start(read(files[next++]!)));
    yield [file, resumed(started.shift()!)];
  }
}

interface Started {
  readonly batches: AsyncIterator<PositionBatch>;
  readonly first: Promise<IteratorResult<PositionBatch>>;
}

function start(iterable: AsyncIterable<PositionBatch>): Started {
  const batches = iterable[Symbol.asyncIterator]();
  const first = batches.next();
  // Whoever comes to this file hears of its failure.
  first.catch(() => undefined);
  return { batches, first };
}

async function* resumed({ batches, first }: Started): AsyncGenerator<PositionBatch> {
  for (let result = await first; result.done !== true; result = await batches.next()) yield result.value;
}

/** One partition: the offsets that the table accounts for, and those that were met. */
interface SeenPartition {
  readonly first: number;
  readonly next: number;
  readonly bitmap: OffsetBitmap;
  /** Logs that are no more, under the same name. */
  readonly ended: readonly { readonly first: number; readonly next: number; readonly bitmap: OffsetBitmap }[];
}

/** Which offsets were met, and which were met twice or were never accounted for. */
class Seen {
  readonly duplicates: Finding[] = [];
  rows = 0;
  unplaced = 0;
  #moreDuplicates = 0;
  #unaccounted = 0;
  #firstUnaccounted = '';
  readonly #partitions = new Map<string, Map<number, SeenPartition>>();
  readonly #offsets: History['offsets'];
  readonly #ended: History['ended'];

  constructor(history: History) {
    this.#offsets = history.offsets;
    this.#ended = history.ended;
  }

  bitmap(topic: string, partition: number): OffsetBitmap {
    return this.#partition(topic, partition).bitmap;
  }

  /** Rows met of all logs that had this name; null where there was only one. */
  metOfAll(topic: string, partition: number): number | null {
    const { bitmap, ended } = this.#partition(topic, partition);
    return ended.length === 0 ? null : ended.reduce((sum, log) => sum + log.bitmap.size, bitmap.size);
  }

  /** No object, and no look-up by name, for a row: only where the partition changes. */
  add({ rows, topics, topic, partition, offset }: PositionBatch, location: string): void {
    this.rows += rows;
    let of: SeenPartition | null = null;
    let lastTopic = -1;
    let lastPartition = Number.NaN;
    for (let i = 0; i < rows; i++) {
      const t = topic[i]!;
      const p = partition[i]!;
      const o = offset[i]!;
      // NaN is not equal to itself.
      if (t < 0 || p !== p || o !== o) {
        this.unplaced++;
        continue;
      }
      if (of === null || t !== lastTopic || p !== lastPartition) {
        of = this.#partition(topics[t]!, p);
        lastTopic = t;
        lastPartition = p;
      }
      const inside = o >= of.first && o < of.next;
      if (
        (inside && of.bitmap.add(o)) ||
        of.ended.some(({ first, next, bitmap }) => o >= first && o < next && bitmap.add(o))
      )
        continue;
      if (inside || of.ended.some(({ first, next }) => o >= first && o < next)) this.#twice(topics[t]!, p, o, location);
      else this.#unaccount(topics[t]!, p, o, location);
    }
  }

  #partition(topic: string, partition: number): SeenPartition {
    let partitions = this.#partitions.get(topic);
    if (!partitions) this.#partitions.set(topic, (partitions = new Map()));
    let of = partitions.get(partition);
    if (!of) {
      const stated = this.#offsets[topic];
      of = {
        first: stated?.first[partition] ?? Infinity,
        next: stated?.next[partition] ?? 0,
        bitmap: new OffsetBitmap(),
        ended: this.#ended
          .filter((log) => log.topic === topic && log.partition === partition)
          .map(({ first, next }) => ({ first, next, bitmap: new OffsetBitmap() })),
      };
      partitions.set(partition, of);
    }
    return of;
  }

  #unaccount(topic: string, partition: number, offset: number, location: string): void {
    if (this.#unaccounted++ === 0) this.#firstUnaccounted = `${topic}[${partition}] offset ${offset} in ${location}`;
  }

  #twice(topic: string, partition: number, offset: number, location: string): void {
    if (this.duplicates.length < namedLimit)
      this.duplicates.push({
        topic,
        partition,
        from: offset,
        to: offset + 1,
        count: 1,
        reason: `the row is there again in ${location}`,
      });
    else this.#moreDuplicates++;
  }

  problems(): string[] {
    return [
      ...(this.#unaccounted > 0
        ? [
            `${this.#unaccounted} rows have positions that the table does not account for, the first ${this.#firstUnaccounted}`,
          ]
        : []),
      ...(this.#moreDuplicates > 0 ? [`${this.#moreDuplicates} more duplicates are not named`] : []),
    ];
  }
}

/** Ranges in which more rows were met than are on record: an offset that is a row and a dead letter, say. */
function surplus(history: History, seen: Seen): string[] {
  const ofAll = totals(history, seen).flatMap(({ topic, partition, onRecord, met }) =>
    met > onRecord
      ? [`${topic}[${partition}] has ${met} rows of all logs of this name, and ${onRecord} are on record`]
      : [],
  );
  const ranges = history.ranges.filter(({ topic, partition }) => seen.metOfAll(topic, partition) === null);
  const ofOne = ranges.flatMap(({ topic, partition, start, end, accounted }) => {
    const count = seen.bitmap(topic, partition).count(start, end);
    return count > accounted.rows
      ? [
          `${topic}[${partition}] offsets ${start} to ${end - 1} have ${count} rows, and ${accounted.rows} are on record`,
        ]
      : [];
  });
  return [...ofAll, ...ofOne];
}

/**
 * Rows of partitions under whose name one log followed another: which of two rows with the same position is of which log
 * cannot be seen, their number can. Nothing where older snapshots have expired.
 */
function totals(
  history: History,
  seen: Seen,
): { topic: string; partition: number; onRecord: number; met: number; from: number; to: number }[] {
  if (!history.complete) return [];
  const byPartition = Map.groupBy(history.ranges, ({ topic, partition }) => JSON.stringify([topic, partition]));
  return [...byPartition.values()].flatMap((ranges) => {
    const { topic, partition } = ranges[0]!;
    const met = seen.metOfAll(topic, partition);
    if (met === null) return [];
    const onRecord = ranges.reduce((sum, { accounted }) => sum + accounted.rows, 0);
    const from = Math.min(...ranges.map(({ start }) => start));
    return [{ topic, partition, onRecord, met, from, to: Math.max(...ranges.map(({ end }) => end)) }];
  });
}

/**
 * Ranges in which fewer rows were met than are on record. What other writers removed is taken off first, from the
 * largest loss on: metadata does not say which rows they were.
 */
function missingRows(history: History, seen: Seen): Finding[] {
  let removed = history.others.reduce((sum, other) => sum + Math.max(0, other.removedRows - other.addedRows), 0);
  const losses: Finding[] = totals(history, seen).flatMap(({ topic, partition, onRecord, met, from, to }) =>
    met < onRecord
      ? [
          {
            topic,
            partition,
            from,
            to,
            count: onRecord - met,
            reason: `not there: ${onRecord - met} of ${onRecord} rows of all logs of this name`,
          },
        ]
      : [],
  );
  for (const { topic, partition, start, end, accounted } of history.ranges) {
    if (seen.metOfAll(topic, partition) !== null) continue;
    const count = accounted.rows - seen.bitmap(topic, partition).count(start, end);
    if (count <= 0) continue;
    const holes = seen.bitmap(topic, partition).holes(start, end, holesLimit);
    const named = holes
      .map((hole) => (hole.to - hole.from === 1 ? `${hole.from}` : `${hole.from}–${hole.to - 1}`))
      .join(', ');
    const others = end - start - accounted.rows;
    losses.push({
      topic,
      partition,
      from: start,
      to: end,
      count,
      reason: `not there: ${count}${others > 0 ? ` (besides ${others} that were never rows)` : ''} of offsets ${named}${holes.length === holesLimit ? ' …' : ''}`,
    });
  }
  const missing: Finding[] = [];
  for (const loss of losses.sort((a, b) => b.count - a.count)) {
    if (loss.count <= removed) removed -= loss.count;
    else missing.push(loss);
  }
  return missing.sort((a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition || a.from - b.from);
}
