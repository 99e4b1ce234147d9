import { ColumnBatch } from '../columns/batch.ts';
import { KafkaColumns } from '../columns/metadata-columns.ts';
import type { FormatOptions } from '../config/config.ts';
import type { DecodeFailure } from '../decode/decoder.ts';
import { INVALID_KEY, NULL_KEY, PLAIN_KEY, WireFormatReader } from '../decode/wire-format.ts';
import { TabletopicError, asTabletopicError } from '../errors.ts';
import { BatchReader } from '../source/batch-reader.ts';
import type { RecordPositions } from '../source/record-batch.ts';
import { deadLetter } from './dead-letter.ts';
import { Decoders } from './decoders.ts';
import { LaneReader } from './lane-reader.ts';
import type { Layout, SchemaKey, ToWorker } from './messages.ts';
import type { DeadLetter } from './ranges.ts';
import { JsonSampler } from './json-sampler.ts';
import { TableFiles } from './table-files.ts';
import type { Post } from './worker-core.ts';

type TableMessage = Exclude<ToWorker, { type: 'table' | 'close-table' | 'uploaded' }>;
type OpenTable = Extract<ToWorker, { type: 'table' }>;

/** Rows and bytes after which a batch of columns is handed to the Parquet writers. */
const BATCH_ROWS = 4096;
const BATCH_BYTES = 4 << 20;
/** Bytes of dead letters after which the lanes wait for a cut. */
const DEAD_LETTER_BYTES = 32 << 20;
const NO_SCHEMA_ID: Pick<DecodeFailure, 'code' | 'reason'> = {
  code: 'DECODE_WIRE_FORMAT',
  reason: 'the record carries no schema id, neither before the value nor in a header',
};
/** Change of the held bytes that is worth a message. */
const HELD_STEP = 1 << 20;

/**
 * One table in one worker: record positions → columns → Parquet.
 *
 * Invariants:
 * - every column owner appends exactly the records that the decoder took, so that `batch.rows` rows stand in every
 *   column between two records;
 * - the open batch, files and dead letters hold exactly the rows of the lanes' open ranges: a cut takes all of them, a
 *   reset drops all of them (invariant 2: all or nothing).
 */
export class TableWorker {
  readonly #id: number;
  readonly #open: OpenTable;
  readonly #post: Post;
  readonly #lanes = new Map<number, LaneReader>();
  readonly #decoders: Decoders;
  readonly #wire: WireFormatReader;
  #sampler: JsonSampler;
  /** Bytes that the table's columns and open files may hold. */
  budget = Number.POSITIVE_INFINITY;
  #layout: Layout | null = null;
  #batch: ColumnBatch | null = null;
  #kafka: KafkaColumns | null = null;
  #files: TableFiles | null = null;
  #deadLetters: DeadLetter[] = [];
  #deadBytes = 0;
  #digitsCut = 0;
  #heldSaid = 0;
  #asked = new Set<string>();
  /** Partition specs of the rows in the open files. */
  readonly #specs = new Set<number>();
  #turn = 0;
  #failed = false;

  constructor(open: OpenTable, post: Post) {
    this.#id = open.table;
    this.#open = open;
    this.#post = post;
    this.#decoders = new Decoders(open.options);
    this.#wire = new WireFormatReader(wireFormatOf(open.options.value.format));
    this.#sampler = this.#newSampler();
  }

  handle(message: TableMessage): void {
    switch (message.type) {
      case 'lane': {
        const reader = new BatchReader({ isolation: this.#open.isolation, maxBatchBytes: this.#open.maxBatchBytes });
        this.#lanes.set(
          message.lane,
          new LaneReader(message.lane, message.topic, message.partition, message.start, message.generation, reader),
        );
        return;
      }
      case 'close-lane': {
        const lane = this.#lanes.get(message.lane);
        if (lane) this.#released(lane.reset(lane.next, lane.generation));
        this.#lanes.delete(message.lane);
        return;
      }
      case 'records': {
        const lane = this.#lanes.get(message.lane);
        if (lane?.generation !== message.generation || this.#failed) return this.#released(message.byteLength);
        lane.queue.push(message);
        if (lane.waitsFor === 'sample') this.#sampler.take(message, lane.next);
        return;
      }
      case 'skip': {
        const lane = this.#lanes.get(message.lane);
        if (!lane) return;
        lane.generation = message.generation;
        lane.queue.push(message);
        return;
      }
      case 'layout':
        this.#setLayout(message.layout);
        for (const answer of message.schemas) this.#decoders.answer(answer);
        this.#unblock([
          'layout',
          ...(this.#decoders.knows(PLAIN_KEY) ? ['sample'] : []),
          ...message.schemas.flatMap(({ key }) => [`schema ${key}`, `fields ${key}`]),
        ]);
        return;
      case 'cut':
        return this.#cut(message.cut);
      case 'reset':
        return this.#reset(message);
    }
  }

  /** Reads one buffer of one lane; false when no lane can go on. */
  step(): boolean {
    if (this.#failed || this.#deadBytes >= DEAD_LETTER_BYTES) return false;
    const lanes = [...this.#lanes.values()];
    for (let i = 0; i < lanes.length; i++) {
      const lane = lanes[(this.#turn + i) % lanes.length]!;
      if (!lane.runnable) continue;
      this.#turn = (this.#turn + i + 1) % lanes.length;
      try {
        this.#read(lane);
      } catch (thrown) {
        this.#fail(lane, thrown);
      }
      this.#sayHeld();
      return true;
    }
    return false;
  }

  close(): void {
    for (const lane of this.#lanes.values()) this.#released(lane.reset(lane.next, lane.generation));
    this.#lanes.clear();
    this.#files?.abort();
  }

  #read(lane: LaneReader): void {
    if (!lane.current) {
      const message = lane.queue.shift()!;
      if (message.type === 'skip') {
        lane.skip(message);
        return this.#position(lane, 0, 0);
      }
      lane.open(message);
    }
    const { byteLength } = lane.current!;
    while (lane.inBatch || lane.nextBatch()) {
      if (!this.#takeBatch(lane, lane.reader.positions)) return;
      lane.batchDone();
      if (this.#batch && this.#batch.usedBytes >= BATCH_BYTES) this.#flush();
    }
    this.#released(byteLength);
    this.#position(lane, lane.reader.counts.records, byteLength);
  }

  /** Takes the rest of the lane's batch; false when a question must be answered first. */
  #takeBatch(lane: LaneReader, positions: RecordPositions): boolean {
    while (lane.index < positions.count) {
      const from = lane.index;
      const { schemaId: key, end: to } = this.#wire.nextRun(
        positions,
        from,
        Math.min(positions.count, from + BATCH_ROWS),
      );
      if (!this.#ready(lane, key)) return false;
      const refused = key === INVALID_KEY ? NO_SCHEMA_ID : this.#decoders.refused(key);
      if (refused) {
        for (let i = from; i < to; i++) this.#bury(lane, positions, i, key, refused);
        lane.index = to;
        continue;
      }
      if (!this.#takeRun(lane, positions, from, to, key)) return false;
    }
    return true;
  }

  #takeRun(lane: LaneReader, positions: RecordPositions, from: number, to: number, key: SchemaKey): boolean {
    const batch = this.#batch!;
    const decoder = this.#decoders.of(key, this.#layout!);
    const cutBefore = decoder.digitsCut ?? 0;
    const taken = decoder.decode(positions, from, to, batch);
    this.#digitsCut += (decoder.digitsCut ?? 0) - cutBefore;
    if (taken > from) {
      this.#kafka!.append(batch, positions, from, taken, lane.topic, lane.partition);
      batch.rows += taken - from;
      lane.rows += taken - from;
      lane.observe(positions, from, taken);
    }
    lane.index = taken;
    if (batch.rows >= BATCH_ROWS) this.#flush();
    if (taken === to) return true;
    const { failure } = decoder;
    const offset = positions.offsets[taken]!;
    if (failure.unknownFields && lane.askedAt !== offset) {
      lane.askedAt = offset;
      this.#ask(
        lane,
        `fields ${key}`,
        () => this.#post({ type: 'need-fields', table: this.#id, key, fields: failure.unknownFields! }, []),
        true,
      );
      return false;
    }
    this.#bury(lane, positions, taken, key, failure);
    lane.index = taken + 1;
    return true;
  }

  /** Whether records of this writer schema can be taken now; asks for what is missing. */
  #ready(lane: LaneReader, key: SchemaKey): boolean {
    if (key === NULL_KEY || key === INVALID_KEY) {
      if (this.#layout) return true;
      this.#ask(lane, 'layout', () => this.#post({ type: 'need-layout', table: this.#id }, []));
      return false;
    }
    if (this.#decoders.knows(key)) return true;
    const { format } = this.#open.options.value;
    if (key === PLAIN_KEY && (format === 'json' || format === 'auto')) {
      this.#sampler.take(lane.current!, lane.next);
      for (const message of lane.queue) if (message.type === 'records') this.#sampler.take(message, lane.next);
      lane.waitsFor = 'sample';
      return false;
    }
    this.#ask(lane, `schema ${key}`, () =>
      this.#post({ type: 'need-schema', table: this.#id, key, guid: this.#wire.guidOf(key) }, []),
    );
    return false;
  }

  /** The lane waits for an answer; asked once however many lanes wait, unless each has its own question. */
  #ask(lane: LaneReader, question: string, post: () => void, each = false): void {
    lane.waitsFor = question;
    if (!each && this.#asked.has(question)) return;
    this.#asked.add(question);
    post();
  }

  #unblock(questions: readonly string[]): void {
    for (const question of questions) this.#asked.delete(question);
    for (const lane of this.#lanes.values())
      if (lane.waitsFor !== null && questions.includes(lane.waitsFor)) lane.waitsFor = null;
  }

  #newSampler(): JsonSampler {
    return new JsonSampler(this.#open, wireFormatOf(this.#open.options.value.format), (shape, records) =>
      this.#post({ type: 'sample', table: this.#id, shape, records }, []),
    );
  }

  #setLayout(layout: Layout): void {
    if (
      this.#layout &&
      this.#layout.schema['schema-id'] === layout.schema['schema-id'] &&
      this.#layout.specId === layout.specId
    )
      return;
    this.#flush();
    this.#files?.finish();
    this.#layout = layout;
    this.#batch = new ColumnBatch(layout.schema);
    this.#kafka = new KafkaColumns(layout.schema, this.#open.options.metadataColumns);
    this.#decoders.forget();
    this.#files ??= new TableFiles(this.#id, this.#open.options, this.#post);
    this.#files.layout(layout);
  }

  #flush(): void {
    if (!this.#batch || this.#batch.rows === 0) return;
    this.#specs.add(this.#layout!.specId);
    this.#files!.write(this.#batch, this.budget);
    this.#batch.clear();
  }

  #bury(
    lane: LaneReader,
    positions: RecordPositions,
    index: number,
    key: SchemaKey,
    failure: Pick<DecodeFailure, 'code' | 'reason'>,
  ): void {
    if (this.#open.options.onBadRecord === 'stop') {
      const offset = positions.offsets[index]!;
      throw new TabletopicError(failure.code, failure.reason, {
        where: { topic: lane.topic, partition: lane.partition, offset },
      });
    }
    const letter = deadLetter(lane, positions, index, key, failure);
    this.#deadLetters.push(letter);
    this.#deadBytes += 200 + (letter.key?.byteLength ?? 0) + (letter.value?.byteLength ?? 0);
    lane.deadLetters++;
    lane.observe(positions, index, index + 1);
  }

  #cut(cut: number): void {
    try {
      this.#flush();
      this.#files?.finish();
      const ranges = [...this.#lanes.values()].flatMap((lane) => lane.cut() ?? []);
      const schemaId = this.#layout?.schema['schema-id'] ?? null;
      this.#post(
        {
          type: 'cut-done',
          table: this.#id,
          cut,
          ranges,
          deadLetters: this.#deadLetters,
          schemaId,
          specIds: [...this.#specs],
        },
        [],
      );
    } catch (thrown) {
      this.#fail(null, thrown);
    }
    this.#specs.clear();
    this.#deadLetters = [];
    this.#deadBytes = 0;
    this.#sayHeld();
  }

  #reset(message: Extract<ToWorker, { type: 'reset' }>): void {
    this.#files?.abort();
    // Others may have changed columns or the partition spec, and that may be why: what comes next is written as the table is now.
    this.#layout = null;
    this.#batch = null;
    this.#kafka = null;
    this.#decoders.clear();
    this.#asked.clear();
    this.#sampler = this.#newSampler();
    this.#specs.clear();
    this.#deadLetters = [];
    this.#deadBytes = 0;
    for (const { lane: id, start, generation } of message.lanes) {
      const lane = this.#lanes.get(id);
      if (lane) this.#released(lane.reset(start, generation));
    }
    this.#post({ type: 'reset-done', table: this.#id, reset: message.reset }, []);
    this.#sayHeld();
  }

  #position(lane: LaneReader, records: number, bytes: number): void {
    const { id, generation, next, maxTimestamp } = lane;
    const digitsCut = this.#digitsCut;
    this.#digitsCut = 0;
    this.#post(
      { type: 'position', table: this.#id, lane: id, generation, next, records, bytes, maxTimestamp, digitsCut },
      [],
    );
  }

  #released(bytes: number): void {
    if (bytes > 0) this.#post({ type: 'released', bytes }, []);
  }

  #sayHeld(): void {
    const bytes = (this.#batch?.usedBytes ?? 0) + (this.#files?.bufferedBytes ?? 0) + this.#deadBytes;
    if (Math.abs(bytes - this.#heldSaid) < HELD_STEP && (bytes === 0) === (this.#heldSaid === 0)) return;
    this.#heldSaid = bytes;
    this.#post({ type: 'held', table: this.#id, bytes, deadLetterBytes: this.#deadBytes }, []);
  }

  #fail(lane: LaneReader | null, thrown: unknown): void {
    this.#failed = true;
    const error = asTabletopicError(thrown);
    const where = lane ? { topic: lane.topic, partition: lane.partition, offset: lane.next } : {};
    const place = Object.fromEntries(
      Object.entries({ ...where, ...error.where }).map(([key, value]) => [
        key,
        typeof value === 'bigint' ? String(value) : value,
      ]),
    );
    this.#post(
      {
        type: 'failed',
        table: this.#id,
        lane: lane?.id ?? null,
        code: error.code,
        message: error.message,
        where: place,
      },
      [],
    );
  }
}

/** Formats that come with a registry id; `auto` takes both. */
export function wireFormatOf(format: FormatOptions['format']): 'confluent' | 'plain' | 'auto' {
  if (format === 'auto') return 'auto';
  return format === 'json' || format === 'string' || format === 'bytes' ? 'plain' : 'confluent';
}
