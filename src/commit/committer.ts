import { TabletopicError } from '../errors.ts';
import { Combining } from './combining.ts';
import { commitCheckpoint } from './commit-loop.ts';
import { ManifestMerges } from './manifest-merges.ts';
import { ProjectionLoop } from './projection-loop.ts';
import { WithTopic } from './dead-letter-topic.ts';
import { DeadLetterProjection, deadLetterIdent } from './projection.ts';
import { prepareCheckpoint } from './prepare.ts';
import { Serial } from './serial.ts';
import { TableSession } from './session.ts';
import { anchor, changeProperties, createTable, evolveSchema, writeFirstOffsets } from './table-changes.ts';
import type { Logger } from 'pino';
import { identText } from '../iceberg/catalog.ts';
import type { Catalog, CreateTableRequest, LoadedTable, TableIdent } from '../iceberg/catalog.ts';
import type { FileIO } from '../io/file-io.ts';
import type { Ports } from '../ports.ts';
import type { CommitResult, Committer, Cut, OffsetsMap, Prepared, TableState, TopicIdentity } from './commit.ts';
import type { AttemptOutcome } from './commit-loop.ts';
import type { DeadLetterSink } from './dead-letter-topic.ts';
import type { ProjectionResult } from './projection.ts';
import type { ChangeContext, PropertyChange, SchemaChange } from './table-changes.ts';

export type { Committer } from './commit.ts';

export interface CommitterOptions {
  readonly catalog: Catalog;
  readonly ident: TableIdent;
  readonly branch: string;
  /** Access to the files of a table; asked at each use, so that vended credentials may change with each load. */
  readonly io: (table: LoadedTable) => FileIO;
  /** What Kafka says now: topic and cluster ids of the topics that feed this table, by name. */
  readonly topics: () => Readonly<Record<string, TopicIdentity>>;
  readonly ports: Ports;
  readonly logger: Logger;
  /** Version of the service, recorded with each dead letter. */
  readonly version: string;
  readonly hooks?: CommitterHooks;
  /** Where dead letters go beside the dead-letter table; left out: nowhere. */
  readonly deadLetterSink?: DeadLetterSink | null;
  /** How often the dead-letter table is compared with the list, ms; 0: only after commits. Five minutes if left out. */
  readonly projectionInterval?: number;
}

/** For telemetry. */
export interface CommitterHooks {
  readonly attempt?: (outcome: AttemptOutcome, reason: string) => void;
  readonly projected?: (result: ProjectionResult) => void;
  /** The dead-letter table is behind; the table itself goes on. */
  readonly projectionFailed?: (error: TabletopicError) => void;
}

const PROJECTION_INTERVAL = 5 * 60_000;

export function createCommitter(options: CommitterOptions): Committer {
  return new TableCommitter(options);
}

/** The committer of one table: see `Committer` for the contract. */
class TableCommitter implements Committer {
  readonly #options: CommitterOptions;
  readonly #session: TableSession;
  readonly #combining: Combining;
  readonly #merging: ManifestMerges;
  readonly #serial = new Serial();
  readonly #closing = new AbortController();
  /** Null on other branches than main: the dead-letter table is a projection of main. */
  readonly #projection: ProjectionLoop | null;

  constructor(options: CommitterOptions) {
    const { catalog, ident, branch, ports, logger, hooks } = options;
    this.#options = options;
    this.#session = new TableSession({ catalog, ident, branch }, options.topics);
    this.#combining = new Combining({ branch, io: options.io, ports, logger });
    this.#merging = new ManifestMerges(ports, logger);
    const projected = { catalog, main: ident, target: deadLetterIdent(ident), io: options.io, ports };
    this.#projection =
      branch !== 'main'
        ? null
        : new ProjectionLoop({
            table: identText(ident),
            projection: new WithTopic(new DeadLetterProjection(projected), projected, options.deadLetterSink ?? null),
            interval: options.projectionInterval ?? PROJECTION_INTERVAL,
            ports,
            logger,
            onProjected: (result) => hooks?.projected?.(result),
            onFailed: (error) => hooks?.projectionFailed?.(error),
          });
  }

  get state(): TableState | null {
    return this.#session.known;
  }

  load(): Promise<TableState | null> {
    return this.#serial.run(async () => this.#seen(await this.#session.load()));
  }

  create(request: CreateTableRequest, first: OffsetsMap): Promise<TableState> {
    return this.#serial.run(async () => {
      await createTable(request, this.#context);
      return this.#seen(await writeFirstOffsets(first, this.#context));
    });
  }

  ensureOffsets(first: OffsetsMap): Promise<TableState> {
    return this.#serial.run(async () => this.#seen(await writeFirstOffsets(first, this.#context)));
  }

  evolve(derive: (state: TableState) => SchemaChange | null): Promise<TableState> {
    return this.#serial.run(async () => this.#seen(await evolveSchema(derive, this.#context)));
  }

  properties(derive: (state: TableState) => PropertyChange | null): Promise<TableState> {
    return this.#serial.run(async () => this.#seen(await changeProperties(derive, this.#context)));
  }

  async prepare(cut: Cut): Promise<Prepared> {
    const { io, ports, version, topics } = this.#options;
    // What was last known is early enough for L: every snapshot since then is looked at before each attempt.
    const known = this.#session.known ?? (await this.#serial.run(() => this.#session.current()));
    const now = topics();
    const identities: Record<string, TopicIdentity> = {};
    for (const { topic } of cut.ranges) {
      const identity = cut.topics?.[topic] ?? now[topic];
      if (identity === undefined)
        throw new TabletopicError('INTERNAL', `the ids of topic ${topic} are not known`, { where: { topic } });
      identities[topic] = identity;
    }
    return prepareCheckpoint(cut, known, { io: io(known.table), ports, version, topics: identities });
  }

  commit(prepared: Prepared, signal?: AbortSignal): Promise<CommitResult> {
    const { io, ports, logger, hooks } = this.#options;
    const until = signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
    return this.#serial.run(async () => {
      const result = await commitCheckpoint(
        prepared,
        {
          session: this.#session,
          combining: this.#combining,
          merging: this.#merging,
          io,
          ports,
          logger,
          onOutcome: (outcome, reason) => hooks?.attempt?.(outcome, reason),
        },
        until,
      );
      this.#seen(this.#session.known);
      return result;
    });
  }

  refresh(): Promise<TableState> {
    return this.#serial.run(async () => this.#seen(await anchor(await this.#session.reload(), this.#context)));
  }

  async close(): Promise<void> {
    this.#closing.abort(new TabletopicError('COMMIT_UNKNOWN', `the committer of ${this.#session.name} was closed`));
    await this.#projection?.close();
    await this.#combining.settled();
    await this.#merging.close();
  }

  /** Of each state: a list of dead letters that is not what was projected last (new ones by others, or a rollback) is projected now. */
  #seen<T extends TableState | null>(state: T): T {
    if (state !== null) {
      this.#combining.seen(state);
      this.#projection?.seen(state.deadLetters);
    }
    return state;
  }

  get #context(): ChangeContext {
    const { io, ports } = this.#options;
    return { session: this.#session, io, ports, signal: this.#closing.signal };
  }
}
