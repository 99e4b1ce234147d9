import './deterministic-zlib.ts';
import type { ErrorCode } from '../../src/errors.ts';
import type { LoadedTable } from '../../src/iceberg/catalog.ts';
import { MemoryCatalog } from '../../src/iceberg/memory.ts';
import { MemoryFileIO } from '../../src/io/memory.ts';
import { SimBroker } from './broker.ts';
import { Checker } from './checker.ts';
import { Foreign } from './foreign.ts';
import { SimGroup } from './group.ts';
import { happen } from './happenings.ts';
import type { SimTable, World } from './happenings.ts';
import { Instances } from './instances.ts';
import { Network } from './network.ts';
import { Operator } from './operator.ts';
import { explains } from './plan.ts';
import type { HappeningKind, Plan } from './plan.ts';
import { SeededRandom } from './random.ts';
import { SimRegistry } from './registry.ts';
import { Scheduler, SimProcess } from './scheduler.ts';
import { TOPIC, backfillConfig, backfillTable, configOf, firstTopics, tablesOf } from './tables.ts';
import type { TableSpec } from './tables.ts';
import { Trace } from './trace.ts';
import { Producers } from './values.ts';
import { verified } from './verified.ts';

export interface Result {
  /** What broke an invariant; the first ends the run. */
  readonly problems: readonly string[];
  /** What `verify` finds in the end in tables in which something was planted. */
  readonly verified: readonly string[];
  readonly outcome: 'caught up' | `stopped ${ErrorCode}` | 'failed';
  readonly trace: Trace;
  readonly snapshots: number;
  readonly events: number;
  /** What the run came to, of things that plans aim at. */
  readonly reached: ReadonlySet<string>;
}

/** Virtual time (ms) within which everything is in the table once faults have stopped, and a person has acted. */
const PROGRESS_BOUND = 8 * 60_000;
/** A drain ends within the service's own bound, and some. */
const DRAIN_BOUND = 40_000;
/** Longest time between a load of the table and what an instance makes of it, ms. */
const RECENT = 20_000;
/** How often a person acts; a table that goes on stopping is stuck. */
const MOST_ACTS = 4;

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
  readonly #groups: readonly SimGroup[];
  readonly #io: MemoryFileIO;
  readonly #catalog: MemoryCatalog;
  readonly #before = new Map<string, LoadedTable>();
  readonly #server: SimProcess;
  readonly #instances: Instances;
  readonly #operator: Operator;
  readonly #tables: readonly SimTable[];
  readonly #world: World;
  #backfill: SimTable | null = null;
  readonly #problems: string[] = [];
  readonly #explained = new Set<ErrorCode>(['CATALOG_AUTH', 'STORAGE_AUTH']);
  readonly #reached = new Set<string>();
  readonly #clocks = { instances: 0, all: 0 };
  #deleted = false;
  #happening = 0;
  #calm = false;
  #acts = 0;
  #actedAt = Number.NEGATIVE_INFINITY;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#random = new SeededRandom(plan.seed);
    const registry = new SimRegistry();
    const producers = new Producers(plan, registry);
    this.#server = new SimProcess('server', this.#scheduler, this.#random.fork(), () => this.#clocks.all);
    this.#network = new Network(this.#scheduler, this.#random.fork(), this.#trace, plan.faults);
    this.#broker = new SimBroker(this.#scheduler, this.#random.fork(), producers);
    for (const topic of firstTopics(plan)) this.#broker.create(topic, plan.partitions);
    const random = this.#random.fork();
    this.#groups = Array.from({ length: plan.groups }, () => this.#newGroup(random));
    this.#io = new MemoryFileIO(this.#server.ports.clock, {
      after: (operation, location) => {
        this.#deleted ||= operation === 'delete';
        if (operation === 'write' && location.includes('/tabletopic/pending/')) this.#reached.add('pending object');
        return Promise.resolve();
      },
    });
    this.#catalog = new MemoryCatalog(this.#server.ports, {
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
    this.#tables = tablesOf(plan).map((table) => this.#tableOf(table));
    this.#operator = new Operator(this.#broker, this.#catalog, this.#io, plan.isolation, this.#server.ports);
    this.#instances = new Instances({
      plan,
      scheduler: this.#scheduler,
      random: this.#random,
      network: this.#network,
      trace: this.#trace,
      broker: this.#broker,
      registry,
      catalog: this.#catalog,
      io: this.#io,
      before: this.#before,
      clock: () => this.#clocks.instances + this.#clocks.all,
      problem: (text) => this.problem(text),
      standsUp: (table, code) => this.#explained.has(code) && this.#standsUp(table, code),
    });
    const config = configOf(plan);
    for (let i = 0; i < plan.instances; i++)
      this.#instances.add(`i${i}`, this.#groups[i % this.#groups.length]!, config);
    this.#world = {
      plan,
      random: this.#random,
      scheduler: this.#scheduler,
      network: this.#network,
      broker: this.#broker,
      groups: this.#groups,
      producers,
      instances: this.#instances,
      operator: this.#operator,
      clocks: this.#clocks,
      tables: this.#tables,
      backfill: () => this.#startBackfill(),
    };
  }

  problem(text: string): void {
    if (this.#problems.length < 10) this.#problems.push(text);
    this.#trace.add('!!!', text);
  }

  async run(): Promise<Result> {
    const { calmAt, happenings } = this.#plan;
    for (let i = this.#random.below(4); i > 0; i--) this.#broker.produce();
    for (const slot of this.#instances.slots)
      this.#scheduler.at(this.#random.below(3000), null, () => this.#instances.start(slot));
    this.#scheduler.at(0, null, () => this.#produce());
    for (const { at, kind } of happenings) this.#scheduler.at(at, null, () => void this.#happen(kind));
    this.#scheduler.afterEach = () => this.#afterEach();
    await this.#scheduler.run(calmAt, () => this.#failed);
    this.#becomeCalm();
    const outcome = await this.#settle();
    this.#trace.add('run', outcome);
    const found: string[] = [];
    if (happenings.some(({ kind }) => kind.startsWith('plant ')))
      for (const checker of this.#checkers) found.push(...(await verified(checker, this.#catalog, this.#io)));
    for (const slot of this.#instances.slots) slot.process?.kill();
    return {
      problems: this.#problems,
      verified: found,
      outcome,
      trace: this.#trace,
      snapshots: this.#checkers.reduce((sum, { snapshots }) => sum + snapshots, 0),
      events: this.#scheduler.events,
      reached: this.#came(outcome),
    };
  }

  get #failed(): boolean {
    return this.#problems.length > 0;
  }

  get #checkers(): readonly Checker[] {
    return [...this.#tables, ...(this.#backfill ? [this.#backfill] : [])].map(({ checker }) => checker);
  }

  /** After the faults: waits until all is in the tables, or those that are not have stopped for a reason; then ends the service. */
  async #settle(): Promise<Result['outcome']> {
    let until = this.#scheduler.now + PROGRESS_BOUND;
    let open: { checker: Checker; behind: readonly string[] }[] = [];
    while (!this.#failed && this.#scheduler.now < until) {
      await this.#scheduler.run(this.#scheduler.now + 2000, () => this.#failed);
      open = [];
      for (const checker of this.#checkers) {
        const behind = await checker.behind();
        if (behind.length > 0) open.push({ checker, behind });
      }
      if (open.length === 0) break;
      const stops = open.flatMap(({ checker }) => this.#stopOf(checker) ?? []);
      // A drain may have ended the last instance with the tables behind that have not stopped.
      const running = this.#instances.slots.some(({ exit }) => exit === null);
      if (stops.length < (running ? open.length : 1)) continue;
      if (!this.#plan.operator || ++this.#acts > MOST_ACTS) break;
      await this.#act();
      until = this.#scheduler.now + PROGRESS_BOUND;
    }
    if (this.#failed) return 'failed';
    if (open.length === 0) {
      await this.#drain();
      return this.#failed ? 'failed' : 'caught up';
    }
    const stop = this.#stopOf(open[0]!.checker);
    const stuck = open.filter(({ checker }) => this.#stopOf(checker) === null);
    for (const text of (this.#plan.operator ? open : stuck).flatMap(({ behind }) => behind)) this.problem(text);
    return this.#failed ? 'failed' : `stopped ${stop!}`;
  }

  /** Why a table has stopped in an instance that waits for a person; null: it has not. */
  #stopOf({ name }: Checker): ErrorCode | null {
    for (const { stopped } of this.#instances.slots) if (stopped.has(name)) return stopped.get(name)!;
    return null;
  }

  /** A person does for each table that has stopped what its error asks for, and starts the instances anew. */
  async #act(): Promise<void> {
    this.#happening++;
    const codes = new Set(this.#instances.slots.flatMap(({ stopped }) => [...stopped.values()]));
    for (const checker of this.#checkers) {
      const code = this.#stopOf(checker);
      if (code === null) continue;
      const what = code.startsWith('KAFKA_') || code === 'OFFSETS_AMBIGUOUS' ? await this.#operator.adopt(checker) : '';
      this.#trace.add('person', `${checker.name} had stopped with ${code}: ${what}`);
      this.#reached.add(`a person after ${code}`);
    }
    this.#happening--;
    this.#actedAt = this.#scheduler.now;
    for (const slot of this.#instances.slots)
      for (const code of codes) slot.config = Operator.corrected(slot.config, code);
    this.#instances.restart();
  }

  async #afterEach(): Promise<void> {
    const greed = this.#instances.greed();
    if (greed !== null) this.problem(greed);
    if (this.#happening > 0) return;
    for (const checker of this.#checkers) {
      const problems = await checker.changed();
      if (problems.length === 0 && this.#deleted) problems.push(...(await checker.files()));
      for (const text of problems) this.problem(text);
    }
    this.#deleted = false;
  }

  #becomeCalm(): void {
    this.#trace.add('run', 'calm: no more faults, no more records');
    this.#calm = true;
    this.#instances.calm = true;
    this.#network.calm = true;
    this.#broker.endTransactions();
    for (const { process } of this.#instances.slots) if (process) process.crashAt = Number.POSITIVE_INFINITY;
  }

  /** All is in the tables: nothing is held back, and every instance ends by itself, leaving it so. */
  async #drain(): Promise<void> {
    const { slots } = this.#instances;
    // Who sleeps yet gives nothing back, and hears of no drain.
    const awake = Math.max(this.#scheduler.now, ...slots.map(({ process }) => process?.pausedUntil ?? 0));
    await this.#scheduler.run(awake + 15_000, () => this.#failed);
    for (const text of this.#instances.held()) this.problem(text);
    this.#instances.ending = true;
    const running = slots.filter(({ exit }) => exit === null);
    for (const slot of running) slot.service?.drain('the end of the run');
    await this.#scheduler.run(
      this.#scheduler.now + DRAIN_BOUND,
      () => this.#failed || slots.every(({ exit }) => exit !== null),
    );
    // A table that stopped where another instance has gone on with it says so by the exit code.
    for (const { name, exit, stopped } of running)
      if (exit !== 0 && (exit === null || stopped.size === 0))
        this.problem(`7: ${name} was drained and ended with ${exit ?? 'nothing'}`);
    for (const checker of this.#checkers)
      for (const text of [
        ...(await checker.behind()),
        ...(await checker.files()),
        ...(await verified(checker, this.#catalog, this.#io)),
      ])
        this.problem(text);
  }

  /** Whether a stop is true of the table and the log as they are. */
  #standsUp(table: string | null, code: ErrorCode): boolean {
    if (code !== 'KAFKA_OFFSETS_DELETED') return true;
    // What an instance has read of the table may be some seconds old; a person has just set its offsets.
    if (this.#scheduler.now - this.#actedAt < RECENT) return true;
    const checker = this.#checkers.find(({ name }) => name === table);
    const statement = checker?.statement();
    return (checker?.table.topics ?? []).some((name) =>
      this.#broker.topics
        .get(name)
        ?.partitions.some(({ log }, p) => (statement?.topics[name]?.next[p] ?? 0) < log.logStart),
    );
  }

  #produce(): void {
    if (this.#calm) return;
    this.#broker.produce();
    this.#scheduler.at(this.#random.between(50, this.#plan.pace), null, () => this.#produce());
  }

  async #happen(kind: HappeningKind): Promise<void> {
    for (const code of explains[kind] ?? []) this.#explained.add(code);
    this.#happening++;
    let what: string;
    try {
      what = await happen(kind, this.#world);
    } finally {
      this.#happening--;
    }
    this.#trace.add('world', `${kind}: ${what}`);
  }

  #startBackfill(): string {
    if (this.#backfill) return 'there is one already';
    const { partitions } = this.#broker.topics.get(TOPIC)!;
    const bounds = partitions.map(({ log }): [number, number] => {
      const end = this.#plan.isolation === 'read_committed' ? log.lastStableOffset : log.end;
      return [this.#random.between(log.logStart, end), end];
    });
    const spec = backfillTable(this.#plan, bounds);
    this.#backfill = this.#tableOf(spec);
    const slot = this.#instances.add(
      'b',
      this.#newGroup(this.#random.fork()),
      backfillConfig(configOf(this.#plan), spec),
      spec,
    );
    this.#instances.start(slot);
    return JSON.stringify(bounds);
  }

  #newGroup(random: SeededRandom): SimGroup {
    return new SimGroup(this.#scheduler, random, () =>
      [...this.#broker.topics.values()].flatMap(({ name, partitions }) =>
        partitions.map((_, partition) => ({ topic: name, partition })),
      ),
    );
  }

  #tableOf(table: TableSpec): SimTable {
    const checker = new Checker({
      broker: this.#broker,
      catalog: this.#catalog.state,
      io: this.#io,
      table,
      isolation: this.#plan.isolation,
    });
    const foreign = new Foreign({
      catalog: this.#catalog,
      io: this.#io,
      ident: { namespace: table.namespace, name: table.name },
      branch: table.branch,
      ports: this.#server.ports,
      random: this.#random.fork(),
      onDeleted: (snapshotId, location) => checker.deleted(snapshotId, location),
    });
    return { checker, foreign };
  }

  #came(outcome: Result['outcome']): ReadonlySet<string> {
    const reached = this.#reached.add(outcome);
    for (const checker of this.#checkers) {
      if (checker.mostCarried > 1) reached.add('others carried');
      if (checker.mostFiles > 1) reached.add('several files in a commit');
      if (checker.listFiles.length > 0) reached.add('list file of dead letters');
      if ((checker.metadata?.schemas.length ?? 0) > 2) reached.add('schema evolved');
      if (checker.table.bounds) reached.add('backfill');
    }
    return reached;
  }
}
