import type { Logger } from 'pino';
import type { Committer, OffsetsMap, TableState, TopicIdentity } from '../commit/commit.ts';
import type { TabletopicError } from '../errors.ts';
import type { ToWorker } from '../pipeline/messages.ts';
import type { WorkerPool } from '../pipeline/pool.ts';
import type { Ports } from '../ports.ts';
import type { Source, TopicDescription, TopicPartition } from '../source/source.ts';
import type { GrowingPlan } from './growing-plan.ts';
import type { IngestHooks } from './hooks.ts';
import { LaneTable } from './lane-table.ts';
import type { LayoutSource } from './layout-source.ts';
import { firstOffsets } from './positions.ts';
import { withRetry } from './retry.ts';
import type { Uploads, UploadHooks } from './uploads.ts';

export interface TableIngestOptions {
  readonly id: number;
  readonly plan: GrowingPlan;
  readonly name: string;
  /** Resolves when the table's catalog is connected; rejects where it never can be. */
  readonly ready: Promise<void>;
  readonly committer: Committer;
  readonly layoutSource: LayoutSource;
  /** Opens the uploads once the table's location is known. */
  readonly openUploads: (state: TableState, hooks: UploadHooks) => Uploads;
  readonly source: Source;
  readonly pool: WorkerPool;
  readonly topics: () => readonly TopicDescription[];
  readonly clusterId: string;
  readonly isolation: 'read_committed' | 'read_uncommitted';
  readonly maxBatchBytes: number;
  readonly ports: Ports;
  readonly logger: Logger;
  readonly hooks: IngestHooks;
}

type TableMessage<M = ToWorker> = M extends { table: number } ? Omit<M, 'table'> : never;

/** What the parts of one table's ingest share. */
export class TableContext {
  readonly options: TableIngestOptions;
  readonly log: Logger;
  readonly lanes: LaneTable;
  /** Aborts when the table stops or closes; everything that waits is bound to it. */
  readonly abort = new AbortController();
  /** Null until the table exists, and after it was closed. */
  uploads: Uploads | null = null;
  /** Why the table stopped, or what it waits for at the moment; wall clock (ms) since when. */
  problem: TabletopicError | null = null;
  problemSince = 0;

  constructor(options: TableIngestOptions) {
    this.options = options;
    this.log = options.logger.child({ table: options.name });
    this.lanes = new LaneTable(options.id, options.pool.size);
  }

  get state(): TableState | null {
    return this.options.committer.state;
  }

  setProblem(error: TabletopicError | null): void {
    if (this.problem?.code === error?.code) return;
    this.problem = error;
    this.problemSince = this.options.ports.clock.now();
    this.options.hooks.problem(error);
  }

  /** For as long as the error's policy is `retry` and the table is open. */
  retry<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    return withRetry(
      {
        ports: this.options.ports,
        logger: this.log,
        signal: this.abort.signal,
        what,
        onState: (error) => {
          this.setProblem(error);
          if (error) this.options.hooks.retried(error);
        },
      },
      attempt,
    );
  }

  /**
   * Where `startFrom` begins in the topics as they are now, and in what is assigned beyond: a group may give a new
   * partition before the topic's description names it.
   */
  firstOffsets(assigned: readonly TopicPartition[] = this.lanes.all().map(({ lane }) => lane)): Promise<OffsetsMap> {
    const { source, clusterId, plan } = this.options;
    return this.retry('look up first offsets', () =>
      firstOffsets(source, withPartitions(this.#topics(), assigned), clusterId, plan.rule.startFrom),
    );
  }

  /** Topic and cluster id of a topic as they are now; null for a topic that is not described yet. */
  identity(topic: string): TopicIdentity | null {
    const known = this.#topics().find(({ name }) => name === topic);
    return known ? { id: known.id, cluster: this.options.clusterId } : null;
  }

  partitions(): number {
    return this.#topics().reduce((sum, topic) => sum + topic.partitions.length, 0);
  }

  post(worker: number, message: TableMessage, transfer?: readonly ArrayBuffer[]): void {
    this.options.pool.post(worker, { ...message, table: this.options.id }, transfer);
  }

  postAll(message: TableMessage): void {
    for (let worker = 0; worker < this.options.pool.size; worker++) this.post(worker, message);
  }

  #topics(): TopicDescription[] {
    return this.options.topics().filter((topic) => this.options.plan.topics.includes(topic.name));
  }
}

function withPartitions(topics: readonly TopicDescription[], assigned: readonly TopicPartition[]): TopicDescription[] {
  return topics.map((topic) => {
    const known = new Set(topic.partitions.map(({ partition }) => partition));
    const more = assigned.filter(({ topic: name, partition }) => name === topic.name && !known.has(partition));
    return {
      ...topic,
      partitions: [...topic.partitions, ...more.map(({ partition }) => ({ partition, leaderEpoch: -1 }))],
    };
  });
}
