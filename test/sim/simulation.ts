import './deterministic-zlib.ts';
import pino from 'pino';
import { parseConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/config.ts';
import { errorTable } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/errors.ts';
import type { LoadedTable } from '../../src/iceberg/catalog.ts';
import { MemoryCatalog } from '../../src/iceberg/memory.ts';
import { MemoryFileIO } from '../../src/io/memory.ts';
import { createService } from '../../src/service.ts';
import type { Service } from '../../src/service.ts';
import { SimBroker } from './broker.ts';
import type { Values } from './broker.ts';
import { Checker } from './checker.ts';
import { Foreign } from './foreign.ts';
import { SimGroup } from './group.ts';
import { Network } from './network.ts';
import { explains } from './plan.ts';
import type { HappeningKind, Plan } from './plan.ts';
import { SeededRandom } from './random.ts';
import { Scheduler, SimProcess } from './scheduler.ts';
import { SimSource } from './source.ts';
import { SimCatalog, SimFileIO } from './stores.ts';
import { Trace } from './trace.ts';

export interface Result {
  /** What broke an invariant; the first ends the run. */
  readonly problems: readonly string[];
  readonly outcome: 'caught up' | `stopped ${ErrorCode}` | 'failed';
  readonly trace: Trace;
  readonly snapshots: number;
  readonly events: number;
}

const TOPIC = 'shop.orders';
const ident = { namespace: ['shop'], name: 'orders' };
/** Virtual time (ms) within which everything is in the table once faults have stopped. */
const PROGRESS_BOUND = 8 * 60_000;
/** A drain ends within the service's own bound, and some. */
const DRAIN_BOUND = 40_000;

/** One run. The same plan gives the same run. */
export async function simulate(plan: Plan): Promise<Result> {
  const run = new Run(plan);
  const rejected = (reason: unknown): void =>
    run.problem(
      `a promise was rejected and nobody heard: ${reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)}`,
    );
  process.on('unhandledRejection', rejected);
  try {
    return await run.run();
  } finally {
    process.off('unhandledRejection', rejected);
  }
}

class Run {
  readonly #plan: Plan;
  readonly #random: SeededRandom;
  readonly #scheduler = new Scheduler();
  readonly #trace = new Trace(this.#scheduler);
  readonly #network: Network;
  readonly #broker: SimBroker;
  readonly #group: SimGroup;
  readonly #io: MemoryFileIO;
  readonly #catalog: MemoryCatalog;
  readonly #before = new Map<string, LoadedTable>();
  readonly #checker: Checker;
  readonly #foreign: Foreign;
  readonly #config: Config;
  readonly #slots: Slot[];
  readonly #problems: string[] = [];
  readonly #explained = new Set<ErrorCode>(['CATALOG_AUTH', 'STORAGE_AUTH']);
  #wallOffset = 0;
  #deleted = false;
  #happening = false;
  #ending = false;
  calm = false;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#random = new SeededRandom(plan.seed);
    const server = new SimProcess('server', this.#scheduler, this.#random.fork(), () => 0);
    this.#network = new Network(this.#scheduler, this.#random.fork(), this.#trace, plan.faults);
    this.#broker = new SimBroker(this.#scheduler, this.#random.fork(), valuesOf(plan));
    this.#broker.create(TOPIC, plan.partitions);
    this.#group = new SimGroup(this.#scheduler, this.#random.fork(), () =>
      [...this.#broker.topics.values()].flatMap(({ name, partitions }) =>
        partitions.map((_, partition) => ({ topic: name, partition })),
      ),
    );
    this.#io = new MemoryFileIO(server.ports.clock, {
      after: (operation) => {
        this.#deleted ||= operation === 'delete';
        return Promise.resolve();
      },
    });
    this.#catalog = new MemoryCatalog(server.ports, {
      hooks: {
        commit: (target) => {
          const key = JSON.stringify([...target.namespace, target.name]);
          const table = this.#catalog.state.tables.get(key);
          if (table)
            this.#before.set(key, {
              ident: target,
              metadataLocation: table.location,
              metadata: table.metadata,
              partial: false,
              config: {},
            });
          return Promise.resolve(null);
        },
      },
    });
    this.#checker = new Checker({
      broker: this.#broker,
      catalog: this.#catalog.state,
      io: this.#io,
      namespace: ident.namespace,
      table: ident.name,
      isolation: plan.isolation,
      markOf: markOf(plan),
    });
    this.#foreign = new Foreign(this.#catalog, this.#io, ident, server.ports, this.#random.fork());
    this.#config = configOf(plan);
    this.#slots = Array.from({ length: plan.instances }, (_, i) => ({
      name: `i${i}`,
      generation: 0,
      process: null,
      service: null,
      source: null,
      exit: null,
      stops: [],
    }));
  }

  problem(text: string): void {
    if (this.#problems.length < 10) this.#problems.push(text);
    this.#trace.add('!!!', text);
  }

  async run(): Promise<Result> {
    const { calmAt, happenings } = this.#plan;
    for (let i = this.#random.below(4); i > 0; i--) this.#broker.produce();
    for (const slot of this.#slots) this.#scheduler.at(this.#random.below(3000), null, () => this.#start(slot));
    this.#scheduler.at(0, null, () => this.#produce());
    for (const { at, kind } of happenings) this.#scheduler.at(at, null, () => void this.#happen(kind));
    this.#scheduler.afterEach = () => this.#afterEach();
    await this.#scheduler.run(calmAt, () => this.#failed);
    this.#becomeCalm();
    let outcome: Result['outcome'] = 'failed';
    let behind: string[] = ['not looked yet'];
    while (!this.#failed && this.#scheduler.now < calmAt + PROGRESS_BOUND) {
      await this.#scheduler.run(this.#scheduler.now + 2000, () => this.#failed);
      behind = await this.#checker.behind();
      if (behind.length === 0 || this.#slots.every(({ exit }) => exit === 3)) break;
    }
    if (!this.#failed && behind.length > 0) {
      const stops = this.#slots.flatMap((slot) => (slot.exit === null ? [] : slot.stops.slice(-1)));
      if (stops.length > 0) outcome = `stopped ${stops[0]!}`;
      else for (const text of behind) this.problem(text);
    } else if (!this.#failed) {
      await this.#drain();
      outcome = 'caught up';
    }
    if (this.#failed) outcome = 'failed';
    this.#trace.add('run', outcome);
    for (const slot of this.#slots) slot.process?.kill();
    return {
      problems: this.#problems,
      outcome,
      trace: this.#trace,
      snapshots: this.#checker.snapshots,
      events: this.#scheduler.events,
    };
  }

  get #failed(): boolean {
    return this.#problems.length > 0;
  }

  async #afterEach(): Promise<void> {
    if (this.#happening) return;
    const problems = await this.#checker.changed();
    if (problems.length === 0 && this.#deleted) problems.push(...(await this.#checker.files()));
    this.#deleted = false;
    for (const text of problems) this.problem(text);
  }

  #becomeCalm(): void {
    this.#trace.add('run', 'calm: no more faults, no more records');
    this.calm = true;
    this.#network.calm = true;
    this.#broker.endTransactions();
    for (const slot of this.#slots) if (slot.process) slot.process.crashAt = Number.POSITIVE_INFINITY;
  }

  /** All is in the table: nothing is held back, and every instance ends by itself, leaving it so. */
  async #drain(): Promise<void> {
    await this.#scheduler.run(this.#scheduler.now + 15_000, () => this.#failed);
    for (const { name, source, exit } of this.#slots)
      if (source && exit === null && source.outstanding !== 0)
        this.problem(`8: ${name} holds ${source.outstanding} fetched bytes for ever`);
    this.#ending = true;
    for (const slot of this.#slots) slot.service?.drain('the end of the run');
    await this.#scheduler.run(
      this.#scheduler.now + DRAIN_BOUND,
      () => this.#failed || this.#slots.every(({ exit }) => exit !== null),
    );
    for (const { name, exit } of this.#slots)
      if (exit !== 0 && exit !== 3) this.problem(`7: ${name} was drained and ended with ${exit ?? 'nothing'}`);
    for (const text of [...(await this.#checker.behind()), ...(await this.#checker.files())]) this.problem(text);
  }

  #start(slot: Slot): void {
    if (slot.process?.alive) return;
    const process = new SimProcess(
      `${slot.name}.${++slot.generation}`,
      this.#scheduler,
      this.#random.fork(),
      () => this.#wallOffset,
    );
    const logger = pino(
      { level: 'info', base: null, timestamp: false },
      { write: (line: string) => this.#log(slot, process, line) },
    );
    const { isolation } = this.#plan;
    const source = new SimSource({
      process,
      network: this.#network,
      broker: this.#broker,
      group: this.#group,
      isolation,
      logger,
    });
    const catalog = new SimCatalog(
      process,
      this.#network,
      this.#catalog,
      ({ namespace, name }) => this.#before.get(JSON.stringify([...namespace, name])) ?? null,
    );
    const io = new SimFileIO(process, this.#network, this.#io);
    const service = createService(this.#config, {
      ports: process.ports,
      logger,
      twins: {
        source,
        catalogs: {
          connect: (each) => each('lake', () => catalog.connect()),
          get: () => catalog,
          io: () => io,
          close: () => Promise.resolve(),
        },
        defer: (task) => void this.#scheduler.at(0, process, task),
      },
    });
    Object.assign(slot, { process, service, source, exit: null });
    process.onKill = () => {
      this.#trace.add(process.name, 'dies');
      slot.exit = 137;
      this.#scheduler.at(this.#random.between(200, 4000), null, () => this.#start(slot));
    };
    this.#trace.add(process.name, 'starts');
    void service.run().then(({ exit }) => this.#ended(slot, process, exit));
  }

  #ended(slot: Slot, process: SimProcess, exit: number): void {
    if (!process.alive) return;
    this.#trace.add(process.name, `ends with ${exit}`);
    process.onKill = () => undefined;
    process.kill();
    slot.exit = exit;
    // A data problem needs a person; before that nobody starts it again in vain for ever.
    if (this.#ending || (this.calm && exit === 3)) return;
    this.#scheduler.at(this.#random.between(1000, 5000), null, () => this.#start(slot));
  }

  #log(slot: Slot, process: SimProcess, line: string): void {
    const {
      level,
      msg,
      table: _,
      ...fields
    } = JSON.parse(line) as Record<string, unknown> & { level: number; msg: string };
    const err = fields['err'] as { message?: string; stack?: string } | undefined;
    if (err) fields['err'] = level >= 60 || fields['code'] === 'INTERNAL' ? err.stack : err.message;
    this.#trace.add(
      process.name,
      `${level >= 50 ? 'ERROR ' : level >= 40 ? 'warn ' : ''}${msg} ${JSON.stringify(fields)}`,
    );
    const code = fields['code'] as ErrorCode | undefined;
    if (level < 50 || !code || !(code in errorTable)) return;
    const stops = msg.startsWith('the table stops') || level >= 60;
    if (!stops) return;
    slot.stops.push(code);
    if (!this.#explained.has(code) || !this.#standsUp(code))
      this.problem(`7: ${process.name} stops with ${code}, which nothing explains: ${msg}`);
  }

  /** Whether a stop is true of the table and the log as they are. */
  #standsUp(code: ErrorCode): boolean {
    const statement = this.#checker.statement();
    const topic = this.#broker.topics.get(TOPIC);
    if (code === 'KAFKA_OFFSETS_DELETED' && topic)
      return topic.partitions.some(({ log }, p) => (statement?.topics[TOPIC]?.next[p] ?? 0) < log.logStart);
    return true;
  }

  #produce(): void {
    if (this.calm) return;
    this.#broker.produce();
    this.#scheduler.at(this.#random.between(50, 1500), null, () => this.#produce());
  }

  async #happen(kind: HappeningKind): Promise<void> {
    for (const code of explains[kind] ?? []) this.#explained.add(code);
    this.#happening = true;
    const what = await this.#do(kind);
    this.#happening = false;
    this.#trace.add('world', `${kind}: ${what}`);
  }

  async #do(kind: HappeningKind): Promise<string> {
    const random = this.#random;
    const alive = this.#slots.filter(({ process }) => process?.alive);
    const slot = alive.length > 0 ? random.pick(alive) : null;
    const topic = this.#broker.topics.get(TOPIC);
    const partition = topic ? random.pick(topic.partitions) : null;
    const index = topic && partition ? topic.partitions.indexOf(partition) : -1;
    switch (kind) {
      case 'crash':
        if (!slot?.process) return 'nobody is there';
        slot.process.crashAt = slot.process.events + random.between(1, 120);
        return `${slot.process.name} at its event ${slot.process.crashAt}`;
      case 'pause': {
        if (!slot?.process) return 'nobody is there';
        slot.process.pausedUntil = this.#scheduler.now + random.between(500, 20_000);
        return `${slot.process.name} until ${slot.process.pausedUntil}`;
      }
      case 'drain':
        slot?.service?.drain('by the plan');
        return slot?.name ?? 'nobody';
      case 'clock jump':
        this.#wallOffset += random.between(-3_600_000, 3_600_000);
        return `${this.#wallOffset} ms`;
      case 'rebalance':
        this.#group.rebalance();
        return '';
      case 'partition added':
        if (topic) this.#broker.grow(topic);
        return `${topic?.partitions.length}`;
      case 'topic recreated':
        if (!topic) return 'it is gone';
        this.#broker.deleteTopic(TOPIC);
        this.#scheduler.at(random.below(8000), null, () => void this.#broker.create(TOPIC, this.#plan.partitions));
        return '';
      case 'retention': {
        if (!partition) return 'no topic';
        const { log } = partition;
        const to = random.between(log.logStart, log.lastStableOffset);
        this.#broker.deleteBefore(partition, to);
        return `${index} begins at ${to}`;
      }
      case 'log compaction':
        if (partition) this.#broker.compact(partition);
        return `${index}`;
      case 'unclean election': {
        if (!partition) return 'no topic';
        this.#broker.truncate(partition, Math.max(partition.log.logStart, partition.log.end - random.between(0, 6)));
        return `${index} ends at ${partition.log.end}, epoch ${partition.log.leaderEpoch}`;
      }
      case 'rollback':
        return this.#foreign.rollback();
      case 'table compaction':
        return this.#foreign.compact();
      case 'foreign snapshot':
        return this.#foreign.touch();
      case 'expire':
        return this.#foreign.expire(random.pick([0, 0, 1, 3]));
      case 'spec changed':
        return this.#foreign.respec();
      case 'column dropped':
        return this.#foreign.dropColumn();
      case 'plant duplicate':
        return this.#foreign.duplicate();
      case 'plant hole':
        return this.#foreign.drop();
      case 'plant lost file':
        return this.#foreign.lose();
      case 'plant stuck':
        this.#network.blocked = 'catalog.commit';
        return 'no commit is taken any more';
    }
  }
}

/** A place where an instance runs; when it dies another one is started. */
interface Slot {
  readonly name: string;
  generation: number;
  process: SimProcess | null;
  service: Service | null;
  source: SimSource | null;
  /** Of the newest process: its exit code, null while it runs. */
  exit: number | null;
  /** Codes that its processes stopped with. */
  readonly stops: ErrorCode[];
}

function configOf(plan: Plan): Config {
  const base = parseConfig(
    `kafka: { brokers: ["sim:9092"], groupId: sim, instanceId: none, isolation: ${plan.isolation} }
catalogs: { lake: { type: sql, uri: "sqlite:./unused.db", warehouse: "file:///unused" } }
tables:
  - topic: ${TOPIC}
    value: { format: ${plan.format} }
    compression: none
    inferRecords: 20
    inferTime: 1s
    onMissingOffsets: ${plan.onMissingOffsets}
    onDropped: ${plan.onDropped}
workers: 0
`,
    { env: {}, directory: '/', file: 'simulation.yaml' },
  );
  return { ...base, http: null, tables: base.tables.map((rule) => ({ ...rule, commitInterval: plan.commitInterval })) };
}

function valuesOf({ format, poison }: Plan): Values {
  if (format === 'string') return { value: (_, id) => id, poison: () => null };
  return {
    value: (random, id) =>
      JSON.stringify({ id, n: random.below(100), ...(random.chance(0.1) ? { [`f${random.below(3)}`]: true } : {}) }),
    poison: (random, id) => (random.chance(poison) ? `{"id": ${id}` : null),
  };
}

function markOf({ format }: Plan): (row: Record<string, unknown>) => string {
  return (row) => String(format === 'string' ? row['value'] : row['id']);
}
