import { TabletopicError } from '../errors.ts';
import { identText } from '../iceberg/catalog.ts';
import { noDeadLetters, decodeDeadLetterList, encodeDeadLetterList } from './dead-letter-list.ts';
import { objectOf } from './json-object.ts';
import { loadKnown } from './known.ts';
import { sourceRows } from './projection-plan.ts';
import { listDifference } from './projection.ts';
import type { LoadedTable } from '../iceberg/catalog.ts';
import type { DeadLetterList } from './dead-letter-list.ts';
import type { DeadLetterRow } from './dead-letter-schema.ts';
import type { DeadLetterProjection, ProjectionOptions, ProjectionResult } from './projection.ts';

/** Where dead letters are produced to, beside the dead-letter table. Resolves when all are acknowledged. */
export interface DeadLetterSink {
  readonly topic: string;
  produce(rows: readonly DeadLetterRow[], table: string, signal: AbortSignal): Promise<void>;
}

/** Rows produced at once. */
const ROWS = 500;
const ATTEMPTS = 5;

/**
 * The dead letters of a table in a Kafka topic, derived from the list at the main head as the dead-letter table is.
 *
 * Guarantees:
 * - at least once, after the commit that decided the record to be dead: what the list has and the progress lacks is
 *   produced, and only then does the progress say so. A process that dies between leaves the progress behind, and the
 *   next run, of any instance, produces again; so do two instances that run at the same time. A reader tells copies by
 *   the headers checkpoint, topic, partition and offset;
 * - the progress is the list that was produced, a property of the dead-letter table for each topic. It is only ever set
 *   to a list all of which was produced by those who wrote its predecessor or by this run, so that a lost race between
 *   two instances makes copies, never a hole;
 * - nothing is taken back: a record that a rollback brings back to the log and that is dead again is produced again, under
 *   a new checkpoint; one that was replayed before its turn came is not produced.
 */
export class DeadLetterPublisher {
  readonly #options: ProjectionOptions;
  readonly #sink: DeadLetterSink;

  constructor(options: ProjectionOptions, sink: DeadLetterSink) {
    this.#options = options;
    this.#sink = sink;
  }

  /** Rejects with `DEAD_LETTERS_UNREADABLE`, with what the sink and the catalog reject with. Returns how many were produced. */
  async run(signal: AbortSignal): Promise<number> {
    const { catalog, main, target, io, ports } = this.#options;
    const property = `${PROGRESS_PROPERTY}${this.#sink.topic}`;
    // In this order, as the projection: the list may only be newer than the progress.
    const table = await catalog.loadTable(target, 'refs');
    const source = await loadKnown({ catalog, ident: main, branch: 'main' });
    // The projection makes the table with the first dead letter.
    if (table === null || source === null) return 0;
    const done = progressOf(table, property);
    const lists = io(source.table);
    const { add, replayed, returned, returnedFrom } = await listDifference(source.deadLetters, done, lists);
    let produced = await this.#produce(
      sourceRows(add, lists, (row) => !replayed.has(row)),
      signal,
    );
    produced += await this.#produce(
      sourceRows(returnedFrom, lists, (row) => returned.has(row)),
      signal,
    );
    const text = progressText(source.deadLetters);
    if (text === progressText(done)) return produced;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { outcome } = await catalog.commit(target, {
        requirements: [{ type: 'assert-table-uuid', uuid: table.metadata['table-uuid'] }],
        updates: [{ action: 'set-properties', updates: { [property]: text } }],
        idempotencyKey: ports.ids.uuid(),
      });
      if (outcome === 'committed') return produced;
    }
    throw new TabletopicError(
      'COMMIT_CONFLICT',
      `${identText(target)}: how far its dead letters are in topic ${this.#sink.topic} cannot be recorded: they will be produced again`,
      { where: { table: identText(target) } },
    );
  }

  async #produce(rows: AsyncIterable<DeadLetterRow>, signal: AbortSignal): Promise<number> {
    const name = identText(this.#options.main);
    let batch: DeadLetterRow[] = [];
    let produced = 0;
    for await (const row of rows) {
      batch.push(row);
      produced++;
      if (batch.length < ROWS) continue;
      await this.#sink.produce(batch, name, signal);
      batch = [];
    }
    await this.#sink.produce(batch, name, signal);
    return produced;
  }
}

/** Property of the dead-letter table, followed by the topic: the list of which everything was produced. */
export const PROGRESS_PROPERTY = 'tabletopic.dead-letter-topic.';

function progressText(list: DeadLetterList): string {
  const deadLetters = encodeDeadLetterList(list);
  return JSON.stringify({ v: 1, ...(deadLetters === null ? {} : { deadLetters }) });
}

function progressOf({ ident, metadata }: LoadedTable, property: string): DeadLetterList {
  const text = metadata.properties?.[property];
  if (text === undefined) return noDeadLetters;
  try {
    const json = objectOf(JSON.parse(text), 'the progress');
    if (json['v'] !== 1) throw new SyntaxError(`version ${String(json['v'])} is not known`);
    return decodeDeadLetterList(json['deadLetters']);
  } catch (cause) {
    const table = identText(ident);
    throw new TabletopicError('DEAD_LETTERS_UNREADABLE', `property ${property} of ${table} cannot be read`, {
      cause,
      where: { table },
      hint: 'Remove the property: all dead letters are then produced again.',
    });
  }
}

/** The headers of a dead letter in a topic: those that it had, then where it is from and why it is dead. */
export function deadLetterHeaders(row: DeadLetterRow, table: string): (readonly [string, Uint8Array | null])[] {
  const ours: Record<string, string | null> = {
    table,
    topic: row.topic,
    partition: String(row.partition),
    offset: String(row.offset),
    timestamp: row.timestamp === null ? null : String(row.timestamp / 1000n),
    code: row.code,
    reason: row.reason,
    schema: row.schemaId === null ? null : String(row.schemaId),
    checkpoint: row.checkpointId,
    version: row.serviceVersion,
  };
  return [
    ...row.headers.map(({ key, value }) => [key, value] as const),
    ...Object.entries(ours).flatMap(([name, value]) =>
      value === null ? [] : [[`tabletopic.${name}`, Buffer.from(value)] as const],
    ),
  ];
}

/** The dead-letter table and the topic, one after the other; that one of them fails does not hold up the other. */
export class WithTopic implements Pick<DeadLetterProjection, 'run'> {
  readonly #projection: DeadLetterProjection;
  readonly #publisher: DeadLetterPublisher | null;

  constructor(projection: DeadLetterProjection, options: ProjectionOptions, sink: DeadLetterSink | null) {
    this.#projection = projection;
    this.#publisher = sink && new DeadLetterPublisher(options, sink);
  }

  async run(signal: AbortSignal): Promise<ProjectionResult> {
    const [projected] = await Promise.allSettled([this.#projection.run(signal)]);
    await this.#publisher?.run(signal);
    if (projected.status === 'rejected') throw projected.reason;
    return projected.value;
  }
}
