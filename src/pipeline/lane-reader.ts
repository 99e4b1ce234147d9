import { TabletopicError } from '../errors.ts';
import { free } from '../free.ts';
import type { StructType } from '../schema/types.ts';
import type { BatchReader } from '../source/batch-reader.ts';
import type { RecordPositions } from '../source/record-batch.ts';
import type { ToWorker } from './messages.ts';
import type { Accounted, OffsetRange } from './ranges.ts';
import type { LaneRoutes } from './lane-routes.ts';

export type Records = Extract<ToWorker, { type: 'records' }>;
export type Skip = Extract<ToWorker, { type: 'skip' }>;

/** What a lane waits for; null: it may go on. */
export type Question = string | null;

/**
 * One lane in its worker: the queue of fetched buffers and the open offset range.
 *
 * Invariant: every offset of [start, next) is accounted exactly once in the open range; rows and dead letters are
 * counted where they happen, aborted and control offsets by the batch reader, and what is left is absent.
 *
 * Breaks: test/pipeline/lane-reader.test.ts, "every offset is accounted for once".
 */
export class LaneReader {
  readonly id: number;
  readonly topic: string;
  readonly partition: number;
  readonly reader: BatchReader;
  readonly queue: (Records | Skip)[] = [];
  generation: number;
  /** The open range. */
  start: number;
  next: number;
  rows = 0;
  deadLetters = 0;
  /** Records of the open range that another table of the topic takes. */
  elsewhere = 0;
  /** Null: every record of the topic is the table's. */
  readonly routes: LaneRoutes | null;
  epoch = -1;
  /** Largest record timestamp seen (ms), for the watermark. */
  maxTimestamp = -1;
  waitsFor: Question = null;
  /** The buffer being read, and the next record of its current batch. */
  current: Records | null = null;
  index = 0;
  /** The reader's positions hold a batch of which records from `index` on are not taken yet. */
  inBatch = false;
  /** What was asked last for a part of a record: where the answer left it as it is, the record is a dead letter. */
  #askedAt = '';
  #aborted = 0;
  #control = 0;
  /** Of the current buffer, already counted into the open range or an earlier one. */
  #abortedSeen = 0;
  #controlSeen = 0;
  #gaps: { from: number; to: number; reason: string }[] = [];

  constructor(
    id: number,
    topic: string,
    partition: number,
    start: number,
    generation: number,
    reader: BatchReader,
    routes: LaneRoutes | null = null,
  ) {
    this.id = id;
    this.routes = routes;
    this.topic = topic;
    this.partition = partition;
    this.start = start;
    this.next = start;
    this.generation = generation;
    this.reader = reader;
  }

  get runnable(): boolean {
    return this.waitsFor === null && (this.current !== null || this.queue.length > 0);
  }

  open(message: Records): void {
    this.current = message;
    this.inBatch = false;
    this.#abortedSeen = 0;
    this.#controlSeen = 0;
    this.reader.open(
      new Uint8Array(message.buffer, message.byteOffset, message.byteLength),
      this.next,
      message.aborted,
      message.endOffset,
    );
  }

  /** Moves to the next batch of the buffer; false when the buffer is done (then `next` stands after it). */
  nextBatch(): boolean {
    const more = this.reader.next();
    this.#count();
    if (this.reader.leaderEpoch >= 0) this.epoch = this.reader.leaderEpoch;
    if (more) {
      this.index = 0;
      this.inBatch = true;
      return true;
    }
    this.next = Math.max(this.next, this.reader.nextOffset, this.current!.nextOffset);
    // All rows are in the columns: the buffer was transferred to this thread, and nobody else has it.
    free(this.current!.buffer);
    this.current = null;
    return false;
  }

  /** All records of the current batch are taken. */
  batchDone(): void {
    this.inBatch = false;
    this.next = Math.max(this.next, this.reader.nextOffset);
  }

  /**
   * Notes that these unknown fields of a part of a record are asked for; false: the very same were asked for just before.
   * Another question can only follow from an answer that added columns, of which there is an end.
   */
  asked(offset: number, part: string, fields: StructType): boolean {
    const asked = `${offset} ${part} ${JSON.stringify(fields)}`;
    if (asked === this.#askedAt) return false;
    this.#askedAt = asked;
    return true;
  }

  /** Records [from, to) of the current batch were taken. */
  observe(positions: RecordPositions, from: number, to: number): void {
    for (let i = from; i < to; i++)
      if (positions.timestamps[i]! > this.maxTimestamp) this.maxTimestamp = positions.timestamps[i]!;
  }

  /** Records up to `to` of the current batch are another table's. */
  pass(positions: RecordPositions, to: number): void {
    this.elsewhere += to - this.index;
    this.observe(positions, this.index, to);
    this.index = to;
  }

  skip(message: Skip): void {
    if (message.to <= this.next) return;
    this.#gaps.push({ from: this.next, to: message.to, reason: message.reason });
    this.next = message.to;
  }

  /** Ends the open range where the lane stands and begins the next one there; null when it is empty. */
  cut(): OffsetRange | null {
    this.#count();
    // Holes and control batches before the next record belong to this range: the reader has counted them already.
    if (this.inBatch) this.next = this.reader.positions.offsets[this.index]!;
    if (this.next === this.start) return null;
    const accounted: Accounted = {
      rows: this.rows,
      deadLetters: this.deadLetters,
      aborted: this.#aborted,
      control: this.#control,
      absent: 0,
      ...(this.elsewhere === 0 ? {} : { elsewhere: this.elsewhere }),
    };
    const taken = accounted.rows + accounted.deadLetters + accounted.aborted + accounted.control + this.elsewhere;
    accounted.absent = this.next - this.start - taken;
    if (accounted.absent < 0) {
      throw new TabletopicError(
        'INTERNAL',
        `offsets [${this.start}, ${this.next}) of ${this.topic}-${this.partition} are accounted more than once`,
      );
    }
    const range: OffsetRange = {
      topic: this.topic,
      partition: this.partition,
      start: this.start,
      end: this.next,
      epoch: this.epoch,
      accounted,
      ...(this.#gaps.length > 0 ? { gaps: this.#gaps } : {}),
    };
    this.#beginRange(this.next);
    return range;
  }

  /**
   * Takes no more: what was fetched is given back, and the open range ends before the next record that was not taken.
   * Returns the bytes that are given back.
   */
  stop(): number {
    this.#count();
    if (this.inBatch) this.next = this.reader.positions.offsets[this.index]!;
    const bytes = this.#fetchedBytes();
    this.queue.length = 0;
    this.current = null;
    this.inBatch = false;
    this.reader.reset();
    return bytes;
  }

  /** Drops everything and goes on at `start`. Returns the fetched bytes that were dropped with it. */
  reset(start: number, generation: number): number {
    const bytes = this.#fetchedBytes();
    this.queue.length = 0;
    this.current = null;
    this.index = 0;
    this.inBatch = false;
    this.waitsFor = null;
    this.#askedAt = '';
    this.generation = generation;
    this.next = start;
    this.reader.reset();
    this.#beginRange(start);
    return bytes;
  }

  #fetchedBytes(): number {
    const queued = this.queue.map((message) => (message.type === 'records' ? message.byteLength : 0));
    return queued.reduce((sum, bytes) => sum + bytes, this.current?.byteLength ?? 0);
  }

  #beginRange(start: number): void {
    this.start = start;
    this.rows = 0;
    this.deadLetters = 0;
    this.elsewhere = 0;
    this.#aborted = 0;
    this.#control = 0;
    this.#gaps = [];
  }

  #count(): void {
    if (!this.current) return;
    const { aborted, control } = this.reader.counts;
    this.#aborted += aborted - this.#abortedSeen;
    this.#control += control - this.#controlSeen;
    this.#abortedSeen = aborted;
    this.#controlSeen = control;
  }
}
