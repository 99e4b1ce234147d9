import { ColumnBatch } from '../columns/batch.ts';
import type { Vector } from '../columns/batch.ts';
import { KafkaColumns } from '../columns/metadata-columns.ts';
import type { DecodeFailure } from '../decode/decoder.ts';
import { NULL_KEY, PLAIN_KEY } from '../decode/wire-format.ts';
import { appendNulls } from '../decode/vectors.ts';
import { TabletopicError } from '../errors.ts';
import { KEY_COLUMN } from '../schema/names.ts';
import { BatchReader } from '../source/batch-reader.ts';
import type { RecordPositions } from '../source/record-batch.ts';
import { DeadLetterRate } from './dead-letter-rate.ts';
import { deadLetter } from './dead-letter.ts';
import { failedMessage } from './failed.ts';
import { LaneReader } from './lane-reader.ts';
import { LaneRoutes } from './lane-routes.ts';
import { RouteSchemas } from './route-reader.ts';
import { answeredQuestions, routeQuestion, schemaQuestion } from './messages.ts';
import type { Layout, ToWorker } from './messages.ts';
import type { DeadLetter } from './ranges.ts';
import { RecordPart } from './record-part.ts';
import { TableFiles } from './table-files.ts';
import type { Post } from './worker-core.ts';

type TableMessage = Exclude<ToWorker, { type: 'table' | 'close-table' | 'uploaded' }>;
type OpenTable = Extract<ToWorker, { type: 'table' }>;

/** Rows and bytes after which a batch of columns is handed to the Parquet writers. */
const BATCH_ROWS = 4096;
const BATCH_BYTES = 4 << 20;
/** Bytes of dead letters after which the lanes wait for a cut. */
const DEAD_LETTER_BYTES = 32 << 20;
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
 *
 * Breaks: test/pipeline/table-worker.test.ts, "a reset drops what files and dead letters already hold",
 * "is a dead letter, whole".
 */
export class TableWorker {
  readonly #id: number;
  readonly #open: OpenTable;
  readonly #post: Post;
  readonly #lanes = new Map<number, LaneReader>();
  readonly #value: RecordPart;
  /** Null: keys stay bytes in `_kafka`. */
  readonly #key: RecordPart | null;
  readonly #parts: readonly RecordPart[];
  /** Records taken at once where keys are decoded: few after a bad key, so that values are not decoded many times. */
  #keyRun = BATCH_ROWS;
  /** Bytes that the table's columns and open files may hold. */
  budget = Number.POSITIVE_INFINITY;
  #layout: Layout | null = null;
  #batch: ColumnBatch | null = null;
  #kafka: KafkaColumns | null = null;
  /** The column `_key`, where the table has it. */
  #keyColumn: Vector | null = null;
  #files: TableFiles | null = null;
  #deadLetters: DeadLetter[] = [];
  #deadBytes = 0;
  #digitsCut = 0;
  #ignored = 0;
  #heldSaid = 0;
  #asked = new Set<string>();
  /** Partition specs of the rows in the open files. */
  readonly #specs = new Set<number>();
  #turn = 0;
  #failed = false;
  /** Null: any number of dead letters is taken. */
  readonly #rate: DeadLetterRate | null;
  readonly #routeSchemas: RouteSchemas;
  /** Topics of which nothing more is taken. */
  readonly #paused = new Set<string>();

  constructor(open: OpenTable, post: Post) {
    this.#id = open.table;
    this.#open = open;
    this.#post = post;
    const { value, key, maxDeadLetterRate } = open.options;
    this.#routeSchemas = new RouteSchemas(open.options);
    this.#rate = maxDeadLetterRate === null ? null : new DeadLetterRate(maxDeadLetterRate);
    this.#value = new RecordPart(open, 'value', value, (message) => post(message, []));
    this.#key = key ? new RecordPart(open, 'key', key, (message) => post(message, [])) : null;
    this.#parts = this.#key ? [this.#value, this.#key] : [this.#value];
  }

  handle(message: TableMessage): void {
    switch (message.type) {
      case 'lane': {
        const reader = new BatchReader({ isolation: this.#open.isolation, maxBatchBytes: this.#open.maxBatchBytes });
        this.#lanes.set(
          message.lane,
          new LaneReader(
            message.lane,
            message.topic,
            message.partition,
            message.start,
            message.generation,
            reader,
            message.routes ? new LaneRoutes(message.routes, this.#routeSchemas, message.elsewhere ?? 'count') : null,
          ),
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
        if (lane?.generation !== message.generation || this.#failed || this.#paused.has(lane.topic))
          return this.#released(message.byteLength);
        lane.queue.push(message);
        for (const part of this.#parts) if (lane.waitsFor === `${part.part} sample`) part.sample(lane, [message]);
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
        for (const answer of message.schemas)
          for (const part of this.#parts) if (answer.part === part.part) part.answer(answer);
        this.#unblock([
          ...answeredQuestions(message),
          ...this.#parts.flatMap(({ part, decoders }) => (decoders.knows(PLAIN_KEY) ? [`${part} sample`] : [])),
        ]);
        return;
      case 'route-schema':
        if (message.schema) this.#routeSchemas.add(message.key, message.schema);
        else this.#value.answer({ part: 'value', key: message.key, indexed: true });
        return this.#unblock([routeQuestion(message.key)]);
      case 'pause-topic':
        this.#paused.add(message.topic);
        for (const lane of this.#lanes.values()) if (lane.topic === message.topic) this.#released(lane.stop());
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
      let to = Math.min(positions.count, from + BATCH_ROWS);
      if (lane.routes) {
        const fate = lane.routes.next(this.#value, lane.topic, positions, from, to);
        if (fate.kind === 'unknown') {
          const post = (): void => this.#post(this.#value.schemaQuestion(lane.topic, true), []);
          this.#ask(lane, routeQuestion(this.#value.schemaKey), post);
          return false;
        }
        if (fate.kind === 'elsewhere') lane.pass(positions, fate.end);
        if (fate.kind === 'dead' && !this.#buryRun(lane, positions, fate.end, fate.refusal)) return false;
        if (fate.kind !== 'own') continue;
        to = fate.end;
      }
      if (this.#key) {
        to = this.#key.nextRun(lane.topic, positions, from, Math.min(to, from + this.#keyRun));
        if (!this.#ready(lane, this.#key)) return false;
      }
      to = this.#value.nextRun(lane.topic, positions, from, to);
      if (!this.#ready(lane, this.#value)) return false;
      const refused = this.#value.refusal ?? this.#key?.refusal ?? null;
      if (refused) {
        if (!this.#buryRun(lane, positions, to, refused)) return false;
        continue;
      }
      if (!this.#takeRun(lane, positions, from, to)) return false;
    }
    return true;
  }

  #takeRun(lane: LaneReader, positions: RecordPositions, from: number, to: number): boolean {
    const batch = this.#batch!;
    const decoder = this.#value.decoder(this.#layout!);
    const cutBefore = decoder.digitsCut ?? 0;
    const decoded = decoder.decode(positions, from, to, batch);
    this.#digitsCut += (decoder.digitsCut ?? 0) - cutBefore;
    const key = this.#takeKeys(lane, positions, from, decoded);
    const taken = key.taken;
    if (taken < decoded) for (const column of batch.columns) column.truncate(batch.rows + taken - from);
    if (taken > from) {
      this.#kafka!.append(batch, positions, from, taken, lane.topic, lane.partition);
      batch.rows += taken - from;
      for (const { decoders, schemaKey } of this.#parts) this.#ignored += decoders.ignored(schemaKey) * (taken - from);
      lane.rows += taken - from;
      this.#rate?.rows(lane.topic, taken - from);
      lane.observe(positions, from, taken);
    }
    lane.index = taken;
    if (batch.rows >= BATCH_ROWS) this.#flush();
    if (taken === to) return true;
    const [part, failure] = key.failure && this.#key ? [this.#key, key.failure] : [this.#value, decoder.failure];
    const offset = positions.offsets[taken]!;
    const { unknownFields } = failure;
    if (unknownFields && lane.asked(offset, part.part, unknownFields)) {
      // A question of this record alone: what another lacks, or this lane before a reset, is no answer for it.
      const question = `${part.part} fields of lane ${lane.id} at ${offset}`;
      this.#ask(lane, question, () => this.#post(part.fieldsQuestion(question, unknownFields), []));
      return false;
    }
    if (!this.#bury(lane, positions, taken, failure)) return false;
    lane.index = taken + 1;
    return true;
  }

  /**
   * The keys of records whose values are in the batch already; where a key cannot be decoded, those from there on must
   * leave it again.
   */
  #takeKeys(
    lane: LaneReader,
    positions: RecordPositions,
    from: number,
    to: number,
  ): { taken: number; failure: DecodeFailure | null } {
    const column = this.#keyColumn;
    if (!this.#key || from === to) {
      if (column) appendNulls(column, to - from);
      return { taken: to, failure: null };
    }
    this.#key.nextRun(lane.topic, positions, from, to);
    if (this.#key.schemaKey === NULL_KEY && !column?.field.required) {
      if (column) appendNulls(column, to - from);
      return { taken: to, failure: null };
    }
    const decoder = this.#key.decoder(this.#layout!);
    const taken = decoder.decode(positions, from, to, this.#batch!);
    if (taken === to) {
      this.#keyRun = Math.min(BATCH_ROWS, this.#keyRun * 2);
      return { taken, failure: null };
    }
    this.#keyRun = 1;
    return { taken, failure: { ...decoder.failure, reason: keyReason(decoder.failure.reason) } };
  }

  /** Whether records of the part's last run can be taken now; asks for what is missing. */
  #ready(lane: LaneReader, part: RecordPart): boolean {
    if (part.isKnown) {
      if (this.#layout) return true;
      this.#ask(lane, 'layout', () => this.#post({ type: 'need-layout', table: this.#id }, []));
      return false;
    }
    if (part.isInferred) {
      part.sample(lane, [lane.current!, ...lane.queue]);
      lane.waitsFor = `${part.part} sample`;
      return false;
    }
    this.#ask(lane, schemaQuestion(part.part, part.schemaKey), () => this.#post(part.schemaQuestion(lane.topic), []));
    return false;
  }

  /** The lane waits for an answer; asked once however many lanes wait. */
  #ask(lane: LaneReader, question: string, post: () => void): void {
    lane.waitsFor = question;
    const { id, generation } = lane;
    this.#post({ type: 'waits', table: this.#id, lane: id, generation, question }, []);
    if (this.#asked.has(question)) return;
    this.#asked.add(question);
    post();
  }

  #unblock(questions: readonly string[]): void {
    for (const question of questions) this.#asked.delete(question);
    for (const lane of this.#lanes.values())
      if (lane.waitsFor !== null && questions.includes(lane.waitsFor)) lane.waitsFor = null;
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
    this.#keyColumn = this.#batch.columns.find((column) => column.field.name === KEY_COLUMN) ?? null;
    for (const { decoders } of this.#parts) decoders.forget(layout);
    this.#files ??= new TableFiles(this.#id, this.#open.options, this.#post);
    this.#files.layout(layout);
  }

  #flush(): void {
    if (!this.#batch || this.#batch.rows === 0) return;
    this.#specs.add(this.#layout!.specId);
    this.#files!.write(this.#batch, this.budget);
    this.#batch.clear();
  }

  /** The records up to `to`; false: not all of them. */
  #buryRun(
    lane: LaneReader,
    positions: RecordPositions,
    to: number,
    why: Pick<DecodeFailure, 'code' | 'reason'>,
  ): boolean {
    for (; lane.index < to; lane.index++) if (!this.#bury(lane, positions, lane.index, why)) return false;
    return true;
  }

  /** False: it is one dead letter too many, and the topic is paused before it. */
  #bury(
    lane: LaneReader,
    positions: RecordPositions,
    index: number,
    failure: Pick<DecodeFailure, 'code' | 'reason'>,
  ): boolean {
    const { onBadRecord, onIncompatible } = this.#open.options;
    // JSON without schema has no schema that could be refused: its values are what does not fit.
    if (onBadRecord === 'stop' || (onIncompatible === 'stop' && failure.code === 'SCHEMA_INCOMPATIBLE')) {
      const offset = positions.offsets[index]!;
      throw new TabletopicError(failure.code, failure.reason, {
        where: { topic: lane.topic, partition: lane.partition, offset },
      });
    }
    if (this.#rate?.takes(lane.topic) === false) {
      this.#pause(lane, positions.offsets[index]!, failure);
      return false;
    }
    const letter = deadLetter(lane, positions, index, this.#value.schemaKey, failure);
    this.#deadLetters.push(letter);
    this.#deadBytes += 200 + (letter.key?.byteLength ?? 0) + (letter.value?.byteLength ?? 0);
    lane.deadLetters++;
    lane.observe(positions, index, index + 1);
    return true;
  }

  #pause(lane: LaneReader, offset: number, { code, reason }: Pick<DecodeFailure, 'code' | 'reason'>): void {
    const { id, generation, topic } = lane;
    const records = lane.reader.counts.records;
    this.handle({ type: 'pause-topic', table: this.#id, topic });
    this.#position(lane, records, 0);
    this.#post({ type: 'too-many-dead-letters', table: this.#id, lane: id, generation, offset, code, reason }, []);
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
    this.#keyColumn = null;
    for (const part of this.#parts) part.reset();
    this.#rate?.reset();
    this.#paused.clear();
    this.#asked.clear();
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
    const [digitsCut, ignored] = [this.#digitsCut, this.#ignored];
    this.#digitsCut = 0;
    this.#ignored = 0;
    this.#post(
      {
        type: 'position',
        table: this.#id,
        lane: id,
        generation,
        next,
        records,
        bytes,
        maxTimestamp,
        digitsCut,
        ignored,
      },
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
    this.#post(failedMessage(this.#id, lane, thrown), []);
  }
}

/** Decoders of keys begin at the column or inside of it. */
function keyReason(reason: string): string {
  return reason.startsWith('_key') ? `key: ${reason.slice(4).replace(/^[.:] ?/, '')}` : `key: ${reason}`;
}
