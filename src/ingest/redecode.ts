import type { Logger } from 'pino';
import type { Committer, PreparedFile } from '../commit/commit.ts';
import type { DeadLetterRow } from '../commit/dead-letter-schema.ts';
import type { TablePlan } from '../config/config.ts';
import { TabletopicError } from '../errors.ts';
import { identText } from '../iceberg/catalog.ts';
import { workerOptions } from '../pipeline/messages.ts';
import type { FromWorker } from '../pipeline/messages.ts';
import { createPool } from '../pipeline/pool.ts';
import type { WorkerPool } from '../pipeline/pool.ts';
import type { DeadLetter } from '../pipeline/ranges.ts';
import type { Ports } from '../ports.ts';
import { encodeBatch } from '../source/batch-encoder.ts';
import type { RecordToEncode } from '../source/batch-encoder.ts';
import { routesOf } from './lane-control.ts';
import { Layouts } from './layouts.ts';
import type { LayoutSource } from './layout-source.ts';
import { withRetry } from './retry.ts';
import type { Uploads, UploadHooks } from './uploads.ts';

export interface RedecodeOptions {
  readonly plan: TablePlan;
  readonly committer: Committer;
  readonly layoutSource: LayoutSource;
  readonly openUploads: (hooks: UploadHooks) => Uploads;
  readonly ports: Ports;
  readonly logger: Logger;
  /** Bytes of columns and encoded pages held at once. */
  readonly memory: number;
  readonly signal: AbortSignal;
}

export interface Redecoded {
  readonly files: readonly PreparedFile[];
  /** Those that are no rows this time either, with the reason that holds now. */
  readonly failed: readonly DeadLetter[];
  readonly schemaId: number;
  readonly specId: number;
}

/** Most bytes of records in one encoded batch. */
const BATCH_BYTES = 1 << 20;
/** Offsets of a batch are 32-bit differences. */
const BATCH_SPAN = 2 ** 31 - 1;
/** Times of a batch are differences that the encoder takes exactly (ms). */
const TIME_SPAN = 2 ** 51;
const TABLE = 0;
const WORKER = 0;

/**
 * Records that were dead letters, on their way through the same worker that reads Kafka's: they are put back into record
 * batches with their own offsets, so that whatever decodes, routes or converts records does it for them as for any other.
 *
 * Invariant: what comes out is all that went in, as rows of the files or as `failed`; nothing is written to the table.
 */
export class Redecode {
  readonly #plan: TablePlan;
  readonly #pool: WorkerPool;
  readonly #layouts: Layouts;
  readonly #uploads: Uploads;
  #lanes = 0;
  /** Lanes of this round, and the offset at which each has taken all. */
  readonly #open = new Map<number, number>();
  #caughtUp: (() => void) | null = null;
  #cut: ((answer: Extract<FromWorker, { type: 'cut-done' }>) => void) | null = null;
  #fail!: (error: unknown) => void;
  readonly #failed: Promise<never>;

  constructor(options: RedecodeOptions) {
    const { plan, committer, layoutSource, ports, logger, memory, signal } = options;
    this.#plan = plan;
    this.#failed = new Promise((_, reject) => (this.#fail = reject));
    this.#failed.catch(() => undefined);
    signal.addEventListener('abort', () => this.#fail(signal.reason), { once: true });
    this.#pool = createPool({
      workers: 0,
      heldBytes: memory,
      onMessage: (_, message) => this.#take(message),
      onFailure: (error) => this.#fail(error),
    });
    this.#uploads = options.openUploads({
      taken: (worker, bytes) => this.#pool.post(worker, { type: 'uploaded', bytes }),
      failed: (error) => this.#fail(error),
    });
    this.#layouts = new Layouts({
      plan,
      committer,
      source: layoutSource,
      ports,
      signal,
      guard: (task) => void task().catch((error: unknown) => this.#fail(error)),
      retry: (what, attempt) => withRetry({ ports, logger, signal, what }, attempt),
      firstOffsets: () => Promise.reject(noTable(plan)),
      created: () => undefined,
      send: (worker, layout, schemas, answered) =>
        this.#pool.post(worker, {
          type: 'layout',
          table: TABLE,
          layout,
          schemas,
          ...(answered === undefined ? {} : { answered }),
        }),
      sendRoute: (worker, key, schema) => this.#pool.post(worker, { type: 'route-schema', table: TABLE, key, schema }),
    });
    this.#pool.post(WORKER, {
      type: 'table',
      table: TABLE,
      options: {
        ...workerOptions(plan.rule),
        onBadRecord: 'dead-letter',
        onIncompatible: plan.rule.onIncompatible === 'new-column' ? 'new-column' : 'dead-letter',
        maxDeadLetterRate: null,
      },
      isolation: 'read_uncommitted',
      maxBatchBytes: Number.MAX_SAFE_INTEGER,
    });
  }

  /**
   * Decodes the records: no two of one position, and fewer bytes than a worker holds dead letters of (32 MiB). One call at
   * a time.
   */
  async run(rows: readonly DeadLetterRow[]): Promise<Redecoded> {
    const caughtUp = new Promise<void>((resolve) => (this.#caughtUp = resolve));
    const lanes = lanesOf(rows);
    for (const lane of lanes) {
      const id = ++this.#lanes;
      const [first, last] = [Number(lane[0]!.offset), Number(lane.at(-1)!.offset)];
      const { topic, partition } = lane[0]!;
      this.#open.set(id, last + 1);
      this.#pool.post(WORKER, {
        type: 'lane',
        table: TABLE,
        lane: id,
        topic,
        partition,
        start: first,
        generation: 0,
        ...routesOf(this.#plan, topic),
        elsewhere: 'dead-letter',
      });
      // Memory of its own, which the worker gives back: small buffers are part of a pool.
      const bytes = new Uint8Array(Buffer.concat(batchesOf(lane)));
      this.#pool.post(WORKER, {
        type: 'records',
        table: TABLE,
        lane: id,
        generation: 0,
        buffer: bytes.buffer,
        byteOffset: bytes.byteOffset,
        byteLength: bytes.byteLength,
        nextOffset: last + 1,
        aborted: [],
      });
    }
    await Promise.race([caughtUp, this.#failed]);
    const done = new Promise<Extract<FromWorker, { type: 'cut-done' }>>((resolve) => (this.#cut = resolve));
    this.#pool.post(WORKER, { type: 'cut', table: TABLE, cut: this.#lanes });
    const answer = await Promise.race([done, this.#failed]);
    const files = await Promise.race([Promise.all(this.#uploads.take(WORKER)), this.#failed]);
    for (let id = this.#lanes; id > this.#lanes - lanes.length; id--)
      this.#pool.post(WORKER, { type: 'close-lane', table: TABLE, lane: id });
    if (answer.specIds.length > 1)
      throw new TabletopicError('TABLE_CHANGED', 'the partition spec of the table changed meanwhile', {
        hint: 'Run the command again.',
      });
    const ids = await this.#layouts.ids();
    return {
      files,
      failed: answer.deadLetters,
      schemaId: answer.schemaId ?? ids.schemaId,
      specId: answer.specIds[0] ?? ids.specId,
    };
  }

  /** Files that were not handed out are deleted. */
  async close(): Promise<void> {
    await this.#pool.close();
    await this.#uploads.close();
  }

  #take(message: FromWorker): void {
    switch (message.type) {
      case 'file':
      case 'part':
      case 'file-end':
      case 'file-abort':
        return this.#uploads.handle(WORKER, message);
      case 'position':
        if (message.next >= (this.#open.get(message.lane) ?? Number.POSITIVE_INFINITY)) this.#open.delete(message.lane);
        if (this.#open.size === 0) this.#caughtUp?.();
        return;
      case 'cut-done':
        return this.#cut?.(message);
      case 'failed':
        return this.#fail(new TabletopicError(message.code, message.message, { where: message.where }));
      case 'need-layout':
      case 'need-schema':
      case 'need-fields':
      case 'sample':
        this.#layouts.question(WORKER, message).catch((error: unknown) => this.#fail(error));
        return;
      default:
      // What a worker says of its memory and of lanes that wait.
    }
  }
}

function noTable(plan: TablePlan): TabletopicError {
  const table = identText(plan);
  return new TabletopicError('TABLE_NOT_FOUND', `${table} does not exist`, { where: { table } });
}

/** By partition, in the order of offsets. */
function lanesOf(rows: readonly DeadLetterRow[]): DeadLetterRow[][] {
  const byPartition = Map.groupBy(rows, (row) => JSON.stringify([row.topic, row.partition]));
  return [...byPartition.values()].map((lane) => lane.sort((a, b) => Number(a.offset - b.offset)));
}

/** Record batches with the offsets, times and headers that the records had. */
export function batchesOf(rows: readonly DeadLetterRow[]): Buffer[] {
  const batches: Buffer[] = [];
  let records: RecordToEncode[] = [];
  let bytes = 0;
  let appendTime: number | null = null;
  const flush = (): void => {
    if (records.length === 0) return;
    const baseOffset = records[0]!.offset;
    batches.push(encodeBatch({ baseOffset, records, ...(appendTime === null ? {} : { logAppendTime: appendTime }) }));
    records = [];
    bytes = 0;
  };
  for (const row of rows) {
    const record = recordOf(row);
    // The broker's time is the batch's, the producer's each record's.
    const time = row.timestampType === 'LogAppendTime' ? record.timestamp : null;
    const first = records[0] ?? record;
    const far = record.offset - first.offset > BATCH_SPAN || Math.abs(record.timestamp - first.timestamp) > TIME_SPAN;
    if (bytes >= BATCH_BYTES || time !== appendTime || far) flush();
    appendTime = time;
    records.push(record);
    bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0);
  }
  flush();
  return batches;
}

function recordOf(row: DeadLetterRow): RecordToEncode {
  return {
    offset: Number(row.offset),
    timestamp: timestampOf(row),
    key: row.key,
    value: row.value,
    headers: row.headers.map(({ key, value }) => [key, value] as const),
  };
}

/** Milliseconds; −1 where the record had none. A time beyond the column's range stands in the reason. */
function timestampOf({ timestamp, reason }: DeadLetterRow): number {
  if (timestamp !== null) return Number(timestamp / 1000n);
  const beyond = /\(timestamp (\d+) ms\)$/.exec(reason);
  return beyond ? Number(beyond[1]) : -1;
}
