import type { Logger } from 'pino';
import type { Config } from './config/config.ts';
import { planTables } from './config/plan.ts';
import type { DeadLetterSink } from './commit/dead-letter-topic.ts';
import { ExitCode, TabletopicError, asTabletopicError } from './errors.ts';
import { identText } from './iceberg/catalog.ts';
import { RecentManifests } from './commit/recent-manifests.ts';
import { deadLetterSink } from './ingest/dead-letter-sink.ts';
import { GrowingPlan } from './ingest/growing-plan.ts';
import { RegistryLayouts } from './ingest/registry-layouts.ts';
import { withRetry } from './ingest/retry.ts';
import { TableIngest } from './ingest/table-ingest.ts';
import { TableSet } from './ingest/table-set.ts';
import { CatalogSet, tableParts } from './ingest/table-parts.ts';
import type { Catalogs } from './ingest/table-parts.ts';
import { Dependencies, dependencyOf } from './ops/dependencies.ts';
import { serviceFacts } from './ops/facts.ts';
import { withReadiness } from './ops/health.ts';
import { startHttp } from './ops/http.ts';
import type { HttpServer } from './ops/http.ts';
import { createPrometheus } from './ops/prometheus.ts';
import type { Prometheus } from './ops/prometheus.ts';
import { Throughput } from './ops/throughput.ts';
import type { ServiceStatus } from './ops/status.ts';
import { createPool } from './pipeline/pool.ts';
import type { PoolOptions, WorkerPool } from './pipeline/pool.ts';
import type { Ports } from './ports.ts';
import type { Registry, RegistryHealth } from './registry/registry.ts';
import { claimInstanceId } from './source/instance-id.ts';
import type { InstanceClaim } from './source/instance-id.ts';
import { createKafkaSource } from './source/kafka-source.ts';
import { Producer } from './source/producer.ts';
import type { Source, SourceHandlers, TopicDescription } from './source/source.ts';

export interface ServiceOptions {
  readonly ports: Ports;
  readonly logger: Logger;
  /** Ends with exit code 0 when every table holds all offsets up to the ends seen at start. */
  readonly untilCaughtUp?: boolean;
  /** In place of Kafka, catalogs and stores, and of threads (with `workers: 0`): what a simulation runs on. */
  readonly twins?: Twins;
  /** Reads from it instead of by the configured group. */
  readonly source?: Source;
  /** Writes only the table of this name; the other rules still say which records are theirs (`route`). */
  readonly only?: string;
}

export interface Twins {
  readonly source: Source;
  readonly catalogs: Catalogs;
  readonly defer: NonNullable<PoolOptions['defer']>;
  /** The client of the schema registry. */
  readonly registry: (onHealth: RegistryHealth) => Registry;
}

export interface Service {
  /** Resolves when the service has ended: by `drain`, `stop`, `untilCaughtUp`, or because of an error. */
  run(): Promise<{ readonly exit: number }>;
  /** Reads no more, commits what it has, then ends `run`. */
  drain(reason: string): void;
  /** Ends `run` without another commit. */
  stop(): Promise<void>;
  snapshot(): ServiceStatus;
}

/** How often `--until-caught-up` looks, and asks the catalog about partitions that others own (ms). */
const LOOK = 250;
const LOOK_AT_OTHERS = 2000;
/**
 * Parts of the memory budget (DESIGN invariant 8): for fetched bytes that are not yet decoded, of which workers need only so
 * many that they never wait; and for what workers hold. The same again is on its way to the store, or the process's own.
 */
const FETCH_SHARE = 0.125;
const HELD_SHARE = 0.25;

/**
 * The whole path of one process: topics → source → workers (decode, columns, Parquet) → uploads → commit.
 *
 *     source ──fetched──► tables ──records──► workers ──files, ranges──► tables ──cut──► committer ──receipt──► source
 *
 * Invariant 9: the exit code says what was reached. A job that a signal ends before its end is not done: what runs it, as
 * a Kubernetes Job, goes by that.
 *
 * Breaks: test/sim/found.sim.test.ts, "whoever ran it was told that it is done".
 */
export function createService(config: Config, options: ServiceOptions): Service {
  return new TabletopicService(config, options);
}

class TabletopicService implements Service {
  readonly #config: Config;
  readonly #claim: InstanceClaim | null;
  readonly #instanceId: string | null;
  readonly #ports: Ports;
  readonly #log: Logger;
  readonly #untilCaughtUp: boolean;
  readonly #only: string | null;
  readonly #twins: Twins | null;
  readonly #source: Source;
  readonly #tables = new TableSet();
  readonly #dependencies: Dependencies;
  readonly #throughput: Throughput;
  readonly #prometheus: Prometheus;
  readonly #startedAt: number;
  readonly #abort = new AbortController();
  readonly #ended: Promise<number>;
  #end!: (exit: number) => void;
  #pool: WorkerPool | null = null;
  /** By catalog: resolves when it is connected. */
  readonly #ready = new Map<string, Promise<void>>();
  #catalogs: Catalogs | null = null;
  readonly #manifests = new RecentManifests();
  #producer: Producer | null = null;
  #registry: RegistryLayouts | null = null;
  #http: HttpServer | null = null;
  #topics: readonly TopicDescription[] = [];
  #missing: readonly string[] = [];
  #clusterId = '';
  #planned = false;
  #starting = true;
  /** `--until-caught-up` ended before records whose schema change waits. */
  #approvalNeeded = false;
  /** Of `--until-caught-up`: the ends seen at start. */
  #targets: ReadonlyMap<string, readonly number[]> | null = null;
  #draining = false;
  #stopping: Promise<void> | null = null;
  #nextTable = 0;

  constructor(config: Config, { ports, logger, untilCaughtUp, twins, source, only }: ServiceOptions) {
    const { instanceId, groupProtocol, groupId } = config.kafka;
    this.#claim = instanceId === 'auto' && groupProtocol === 'classic' ? claimInstanceId(groupId) : null;
    this.#instanceId = this.#claim?.id ?? (instanceId === 'auto' || instanceId === 'none' ? null : instanceId);
    this.#config = config;
    this.#ports = ports;
    this.#log = logger;
    this.#untilCaughtUp = untilCaughtUp ?? false;
    this.#only = only ?? null;
    this.#twins = twins ?? null;
    this.#source =
      twins?.source ?? source ?? createKafkaSource({ ...config.kafka, instanceId: this.#instanceId }, ports, logger);
    this.#dependencies = new Dependencies(ports.clock);
    this.#throughput = new Throughput(ports.clock);
    this.#startedAt = ports.clock.now();
    this.#prometheus = createPrometheus(() => this.snapshot(), !twins);
    this.#ended = new Promise((resolve) => (this.#end = resolve));
  }

  async run(): Promise<{ readonly exit: number }> {
    // A start that waits for a server does not outlast a drain.
    const started = this.#start()
      .then(() => (this.#untilCaughtUp ? this.#catchUp() : undefined))
      .catch((thrown: unknown) => {
        if (!this.#abort.signal.aborted) this.#fail(asTabletopicError(thrown));
      });
    const exit = await this.#ended;
    await this.#close();
    await started;
    return { exit };
  }

  drain(reason: string): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#log.info({ reason }, 'draining: what was read is committed, then the service ends');
    const drained = Promise.all(this.#tables.all().map((table) => table.drain())).then(() => this.#exit());
    const late = this.#ports.clock.sleep(this.#config.drainTimeout, this.#abort.signal).then(
      () => {
        this.#log.error('the drain took too long; what is not committed is read again next time');
        return this.#exit() || ExitCode.failed;
      },
      () => ExitCode.done,
    );
    void Promise.race([drained, late]).then((exit) => this.#end(exit));
  }

  async stop(): Promise<void> {
    this.#end(ExitCode.failed);
    await this.#close();
  }

  snapshot(): ServiceStatus {
    return withReadiness(
      serviceFacts({
        now: this.#ports.clock.now(),
        startedAt: this.#startedAt,
        starting: this.#starting,
        draining: this.#draining,
        throughput: this.#throughput,
        memoryBytes: this.#config.memory,
        dependencies: this.#dependencies.all(),
        tables: this.#tables.all(),
        missingTopics: this.#missing,
      }),
    );
  }

  async #start(): Promise<void> {
    const { http, workers, memory } = this.#config;
    if (http) {
      this.#http = await startHttp({ ...http, status: () => this.snapshot(), metrics: this.#prometheus });
      this.#log.info({ url: this.#http.url }, 'status page, health and metrics');
    }
    this.#pool = createPool({
      workers,
      heldBytes: (memory * HELD_SHARE) / Math.max(1, workers),
      onMessage: (worker, message) => {
        if (message.type === 'released') this.#source.release(message.bytes);
        else this.#tables.fromWorker(worker, message);
      },
      onFailure: (error) => this.#fail(error),
      ...(this.#twins ? { defer: this.#twins.defer } : {}),
    });
    this.#source.setBudget(memory * FETCH_SHARE);
    const { signal } = this.#abort;
    const onHealth: SourceHandlers['onHealth'] = (state) => this.#kafkaHealth(state);
    ({ clusterId: this.#clusterId } = await this.#source.connect(signal, onHealth));
    this.#dependencies.up('kafka');
    if (this.#config.schemaRegistry)
      this.#registry = new RegistryLayouts(
        this.#config.schemaRegistry,
        this.#ports,
        this.#log,
        (error) => {
          this.#dependencies.set('registry', error);
          if (error) this.#retried(error);
        },
        this.#twins?.registry,
      );
    this.#catalogs = this.#twins?.catalogs ?? new CatalogSet(this.#config, this.#ports);
    // A catalog that is down holds up its own tables only: each waits for its own (`ready`).
    const connecting = this.#catalogs.connect((name, connect) => {
      const ready = this.#retry(`connect to catalog ${name}`, `catalog ${name}`, connect).then(() =>
        this.#dependencies.up(`catalog ${name}`),
      );
      this.#ready.set(name, ready);
      return ready;
    });
    connecting.catch(() => undefined);
    const patterns = this.#config.tables.flatMap((rule) => rule.topicPattern ?? []);
    const names = [...new Set(this.#config.tables.flatMap((rule) => rule.topic ?? []))];
    const described = await this.#retry('describe topics', 'kafka', () => this.#source.describeTopics(names, patterns));
    this.#plan(described);
    if (this.#tables.all().length === 0 && patterns.length === 0) throw this.#missingError();
    await this.#retry('subscribe', 'kafka', () => this.#source.subscribe(names, patterns, this.#handlers()));
    this.#starting = false;
  }

  /** Tables for the topics that exist now; those that are there already go on as they are. */
  #plan(topics: readonly TopicDescription[]): void {
    this.#topics = topics;
    const { plans, missing, collisions } = planTables(this.#config.tables, topics);
    // At the start a person is there to correct the rules; later one new topic must not stop what runs.
    if (collisions.length > 0 && !this.#planned) throw collisions[0]!;
    this.#planned = true;
    for (const { message, code, hint } of collisions) this.#log.error({ code, hint }, message);
    this.#missing = missing;
    for (const topic of missing)
      this.#log.error(
        { topic, code: 'KAFKA_TOPIC_MISSING' },
        `topic ${topic} does not exist; it is read as soon as it does`,
      );
    // A table that waits for its catalog does not hold up the others, nor the group.
    for (const plan of plans) {
      const wanted = this.#only === null || this.#only === identText(plan);
      if (wanted && !this.#tables.grow(plan)) this.#tables.add(this.#open(new GrowingPlan(plan)));
    }
  }

  #open(plan: GrowingPlan): TableIngest {
    const name = identText(plan);
    const table = new TableIngest({
      id: this.#nextTable++,
      plan,
      name,
      ...tableParts({
        plan,
        catalogs: this.#catalogs!,
        manifests: this.#manifests,
        registry: this.#registry,
        ports: this.#ports,
        logger: this.#log,
        hooks: { attempt: (outcome) => this.#prometheus.commitAttempt(name, outcome) },
        topics: () => this.#topics,
        clusterId: this.#clusterId,
        deadLetterSink: (topic) => this.#sink(topic),
      }),
      ready: this.#ready.get(plan.rule.catalog) ?? Promise.resolve(),
      source: this.#source,
      pool: this.#pool!,
      topics: () => this.#topics,
      clusterId: this.#clusterId,
      isolation: this.#config.kafka.isolation,
      maxBatchBytes: this.#config.memory / 2,
      ports: this.#ports,
      logger: this.#log,
      hooks: {
        records: (topic, records, bytes, digitsCut) => {
          this.#throughput.add(records, bytes);
          this.#prometheus.recordsRead(topic, records, bytes);
          if (digitsCut > 0) this.#prometheus.digitsCut(name, digitsCut);
        },
        ignored: (values) => this.#prometheus.ignored(name, values),
        committed: (content) => {
          this.#dependencies.problem(null, plan.rule.catalog);
          this.#prometheus.committed(name, content.rows, content.files, content.bytes, content.seconds);
          for (const [code, count] of content.deadLetters) this.#prometheus.deadLetters(name, code, count);
        },
        dropped: () => this.#prometheus.checkpointDropped(name),
        retried: (error) => this.#retried(error),
        problem: (error) => this.#dependencies.problem(error, plan.rule.catalog),
        stopped: () => this.#tableStopped(),
      },
    });
    return table;
  }

  /** One producer for all tables; none in a simulation. */
  #sink(topic: string): DeadLetterSink | null {
    if (this.#twins) return null;
    this.#producer ??= new Producer(this.#config.kafka, this.#ports, this.#log);
    return deadLetterSink(this.#producer, topic);
  }

  #handlers(): SourceHandlers {
    return {
      onAssigned: (partitions) => {
        this.#log.info({ partitions: partitions.map(({ topic, partition }) => `${topic}-${partition}`) }, 'assigned');
        this.#prometheus.rebalanced();
        this.#tables.assign(partitions);
        return Promise.resolve();
      },
      onRevoked: (partitions) => {
        this.#log.info({ partitions: partitions.map(({ topic, partition }) => `${topic}-${partition}`) }, 'revoked');
        return this.#tables.revoke(partitions);
      },
      onLost: (partitions) => this.#tables.lost(partitions),
      onFetched: (records) => {
        if (!this.#tables.fetched(records)) this.#source.release(records.byteLength);
      },
      onIdle: (lane, _offset, highWatermark, lastStableOffset, fetchedAt) =>
        this.#tables.idle(lane, highWatermark, lastStableOffset, fetchedAt),
      onLaneError: (lane, error) => this.#tables.laneError(lane, error),
      onTopics: (topics) => this.#plan(topics),
      onHealth: (state) => this.#kafkaHealth(state),
    };
  }

  #retry<T>(what: string, dependency: string, attempt: () => Promise<T>): Promise<T> {
    const onState = (error: TabletopicError | null): void => {
      this.#dependencies.set(dependency, error);
      if (error) this.#retried(error);
    };
    return withRetry({ ports: this.#ports, logger: this.#log, signal: this.#abort.signal, what, onState }, attempt);
  }

  #retried({ code }: TabletopicError): void {
    const dependency = dependencyOf(code);
    if (dependency) this.#prometheus.retried(dependency, code);
  }

  #kafkaHealth({ error }: Parameters<SourceHandlers['onHealth']>[0]): void {
    this.#dependencies.set('kafka', error ?? null);
    if (error?.policy === 'stop-service') this.#fail(error);
  }

  /** Ends when every table holds all offsets up to the ends seen now, or has stopped. */
  async #catchUp(): Promise<void> {
    const { clock } = this.#ports;
    const { signal } = this.#abort;
    const targets = await this.#retry('look up the ends of the topics', 'kafka', () => this.#ends());
    this.#targets = targets;
    for (const table of this.#tables.all()) table.setTargets(targets);
    let looked = clock.monotonic();
    for (;;) {
      const open = this.#tables
        .all()
        .filter((table) => !table.stopped && !table.holds(targets) && !table.waitsFor(targets));
      if (open.length === 0) break;
      if (clock.monotonic() - looked >= LOOK_AT_OTHERS) {
        looked = clock.monotonic();
        await Promise.all(open.map((table) => table.refresh()));
      }
      await clock.sleep(LOOK, signal);
    }
    if (this.#missing.length > 0) this.#reportMissing();
    const waiting = this.#tables.all().filter((table) => table.waitsFor(targets));
    this.#approvalNeeded = waiting.length > 0;
    this.drain(
      this.#approvalNeeded
        ? 'what is left waits for a person: for the approval of a schema change, or paused'
        : 'caught up',
    );
  }

  async #ends(): Promise<Map<string, number[]>> {
    const topics = this.#topics.filter(({ name }) =>
      this.#tables.all().some((table) => table.plan.topics.includes(name)),
    );
    const ends = new Map<string, number[]>();
    for (const { name, partitions } of topics) {
      const offsets = await this.#source.listOffsets(
        partitions.map(({ partition }) => ({ topic: name, partition, at: 'latest' as const })),
      );
      ends.set(name, offsets);
    }
    return ends;
  }

  /** One table's trouble is its own, whatever it is; without any table left the service has nothing to do. */
  #tableStopped(): void {
    if (!this.#untilCaughtUp && this.#tables.all().every((table) => table.stopped)) this.#end(this.#exit());
  }

  #exit(): number {
    const tables = this.#tables.all();
    const stopped = tables.filter((table) => table.state === 'stopped');
    if (stopped.length > 0) return stopped[0]!.problem?.exit ?? ExitCode.dataProblem;
    if (!this.#untilCaughtUp) return ExitCode.done;
    if (this.#approvalNeeded || this.#missing.length > 0) return ExitCode.dataProblem;
    const targets = this.#targets;
    if (targets !== null && tables.every((table) => table.holds(targets))) return ExitCode.done;
    this.#log.warn('ended before every table holds what was there at the start: run it again, it goes on from there');
    return ExitCode.failed;
  }

  #reportMissing(): void {
    const error = this.#missingError();
    this.#log.error({ code: error.code, hint: error.hint, ...error.where }, error.message);
  }

  #missingError(): TabletopicError {
    return new TabletopicError('KAFKA_TOPIC_MISSING', `no such topic: ${this.#missing.join(', ')}`, {
      where: { brokers: this.#config.kafka.brokers.join(',') },
    });
  }

  #fail(error: TabletopicError): void {
    this.#log.fatal({ err: error, code: error.code, hint: error.hint, ...error.where }, error.message);
    this.#end(error.exit);
  }

  #close(): Promise<void> {
    this.#stopping ??= (async () => {
      // Tables first: what they wait for ends because they close, not as an error of theirs.
      const closed = Promise.all(this.#tables.all().map((table) => table.close()));
      this.#abort.abort(new TabletopicError('INTERNAL', 'the service ends'));
      await closed;
      // A static member keeps its partitions over a restart (KIP-345): it does not leave.
      await this.#producer?.close();
      await this.#source.close({ leave: this.#instanceId === null || this.#untilCaughtUp });
      this.#claim?.release();
      await this.#pool?.close();
      await this.#catalogs?.close();
      await this.#http?.close();
    })();
    return this.#stopping;
  }
}
