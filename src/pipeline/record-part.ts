import type { FormatOptions } from '../config/config.ts';
import type { DecodeFailure, Decoder, Part } from '../decode/decoder.ts';
import { InlineSchemas } from '../decode/inline-schema.ts';
import { rewriteOf } from '../decode/json-rewrite.ts';
import { INVALID_KEY, NULL_KEY, PLAIN_KEY, WireFormatReader } from '../decode/wire-format.ts';
import type { StructType } from '../schema/types.ts';
import type { RecordPositions } from '../source/record-batch.ts';
import { Decoders } from './decoders.ts';
import { JsonSampler } from './json-sampler.ts';
import type { LaneReader } from './lane-reader.ts';
import type { FromWorker, Layout, SchemaAnswer, SchemaKey, ToWorker } from './messages.ts';

type OpenTable = Extract<ToWorker, { type: 'table' }>;
type Refusal = Pick<DecodeFailure, 'code' | 'reason'>;

/** Keys of topics whose records name no schema (`schema: latest`): far from registry ids and from the keys of GUIDs. */
const FIRST_TOPIC_KEY = -2_000_000_000;

const NO_SCHEMA_ID: Readonly<Record<Part, Refusal>> = {
  value: {
    code: 'DECODE_WIRE_FORMAT',
    reason: 'the record carries no schema id, neither before the value nor in a header',
  },
  key: { code: 'DECODE_WIRE_FORMAT', reason: 'key: it carries no schema id, neither before it nor in a header' },
};

/** One part of a table's records in one worker, the value or the decoded key: which schema it has, and how it is read. */
export class RecordPart {
  readonly part: Part;
  readonly decoders: Decoders;
  /** Of the last run. */
  schemaKey: SchemaKey = NULL_KEY;
  readonly #open: OpenTable;
  readonly #format: FormatOptions;
  readonly #wire: WireFormatReader;
  readonly #say: (message: FromWorker) => void;
  /** Topics by key: only where each has a schema of its own without saying so. */
  readonly #topics: string[] | null;
  /** Schemas that stand in the records themselves (Kafka Connect's JSON). */
  readonly #inline: InlineSchemas | null;
  #sampler: JsonSampler;

  constructor(open: OpenTable, part: Part, format: FormatOptions, say: (message: FromWorker) => void) {
    this.part = part;
    this.#open = open;
    this.#format = format;
    this.#say = say;
    this.decoders = new Decoders(open.options, part);
    this.#wire = new WireFormatReader(wireFormatOf(format), part, format.format === 'protobuf');
    this.#topics = format.schema === 'latest' && format.subject === null ? [] : null;
    this.#inline = format.format === 'debezium' && format.schema === 'id' ? new InlineSchemas() : null;
    this.#sampler = this.#newSampler();
  }

  /** The longest run of records from `from` with one schema; sets their payloads. Returns the index after it. */
  nextRun(topic: string, positions: RecordPositions, from: number, to: number): number {
    const { schemaId, end: wired } = this.#wire.nextRun(positions, from, to);
    const end = schemaId === PLAIN_KEY && this.#inline ? this.#inlineRun(this.#inline, positions, from, wired) : wired;
    if (schemaId !== PLAIN_KEY || !this.#inline)
      this.schemaKey = schemaId === PLAIN_KEY && this.#topics ? this.#topicKey(topic) : schemaId;
    // An event without data has its attributes in headers.
    if (schemaId === NULL_KEY && this.#format.format === 'cloudevents') this.schemaKey = PLAIN_KEY;
    return this.refusal ? this.#sameKind(positions, from, end) : end;
  }

  /** The part of a run of records without id that has one schema in it, or none. */
  #inlineRun(inline: InlineSchemas, positions: RecordPositions, from: number, to: number): number {
    let run: SchemaKey = NULL_KEY;
    for (let i = from; i < to; i++) {
      if (positions.payloadLength[i]! < 0) continue;
      const [start, length] = [positions.payloadStart[i]!, positions.payloadLength[i]!];
      const key = inline.take(positions, i) ?? PLAIN_KEY;
      if (run === NULL_KEY) run = key;
      else if (key !== run) {
        positions.payloadStart[i] = start;
        positions.payloadLength[i] = length;
        this.schemaKey = run;
        return i;
      }
    }
    this.schemaKey = run;
    return to;
  }

  /** Nulls belong to any run, but nothing is wrong with them where the others are refused. */
  #sameKind({ payloadLength }: RecordPositions, from: number, end: number): number {
    const isNull = payloadLength[from]! < 0;
    if (isNull) this.schemaKey = NULL_KEY;
    let i = from + 1;
    while (i < end && payloadLength[i]! < 0 === isNull) i++;
    return i;
  }

  /** Why no record of the last run can be decoded, or null. */
  get refusal(): Refusal | null {
    if (this.schemaKey === INVALID_KEY) return NO_SCHEMA_ID[this.part];
    const refused = this.decoders.refused(this.schemaKey);
    return refused && this.part === 'key' ? { ...refused, reason: `key: ${refused.reason}` } : refused;
  }

  /** False: the last run's schema must be asked for first. */
  get isKnown(): boolean {
    return this.schemaKey === NULL_KEY || this.schemaKey === INVALID_KEY || this.decoders.knows(this.schemaKey);
  }

  /** The last run's columns are inferred from the records themselves. */
  get isInferred(): boolean {
    const { format } = this.#format;
    return this.schemaKey === PLAIN_KEY && (format === 'json' || format === 'auto' || rewriteOf(format) !== null);
  }

  decoder(layout: Layout): Decoder {
    return this.decoders.of(this.schemaKey, layout);
  }

  /** Whether records without an id have a schema all the same, or say their own: else JSON without schema, text or bytes. */
  get hasSchema(): boolean {
    return this.#format.schema !== 'id';
  }

  /** The question of the last run's schema. `route`: only to route records by it. */
  schemaQuestion(topic: string, route: boolean = false): FromWorker {
    const { part, schemaKey: key } = this;
    const [guid, index, text] = [this.#wire.guidOf(key), this.#wire.indexOf(key), this.#inline?.textOf(key) ?? null];
    return {
      type: 'need-schema',
      table: this.#open.table,
      part,
      key,
      guid,
      index,
      text,
      topic,
      ...(route ? { route } : {}),
    };
  }

  /** What the main thread says of a schema. */
  answer(answer: SchemaAnswer): void {
    if ('indexed' in answer) this.#wire.index(answer.key);
    else this.decoders.answer(answer);
  }

  /** What a record of the last run has and the table has not. */
  fieldsQuestion(question: string, fields: StructType): FromWorker {
    return {
      type: 'need-fields',
      table: this.#open.table,
      part: this.part,
      key: this.schemaKey,
      fields,
      question,
    };
  }

  /** Looks ahead at what the lane holds, and at what it gets while it waits. */
  sample(lane: LaneReader, messages: readonly LaneReader['queue'][number][]): void {
    const { routes } = lane;
    const own = routes && ((positions: RecordPositions, i: number) => routes.takesPlain(positions, i));
    for (const message of messages) if (message.type === 'records') this.#sampler.take(message, lane.next, own);
  }

  /** The table may be another by now. */
  reset(): void {
    this.decoders.clear();
    this.#sampler = this.#newSampler();
  }

  #topicKey(topic: string): SchemaKey {
    const topics = this.#topics!;
    let index = topics.indexOf(topic);
    if (index < 0) index = topics.push(topic) - 1;
    return FIRST_TOPIC_KEY + index;
  }

  #newSampler(): JsonSampler {
    const { table } = this.#open;
    return new JsonSampler(
      this.#open,
      wireFormatOf(this.#format),
      this.part,
      rewriteOf(this.#format.format),
      (shape, records) => this.#say({ type: 'sample', table, part: this.part, shape, records }),
    );
  }
}

/** Formats that come with a registry id; `auto` takes both. Without one (`schema: latest` or a file) the bytes are all payload. */
export function wireFormatOf({ format, schema }: FormatOptions): 'confluent' | 'plain' | 'auto' {
  if (schema !== 'id') return 'plain';
  if (format === 'auto' || format === 'debezium') return 'auto';
  return format === 'json' || format === 'cloudevents' || format === 'string' || format === 'bytes'
    ? 'plain'
    : 'confluent';
}
