import pino from 'pino';
import type { Config } from '../../src/config/config.ts';
import { errorTable } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/errors.ts';
import type { LoadedTable } from '../../src/iceberg/catalog.ts';
import type { MemoryCatalog } from '../../src/iceberg/memory.ts';
import type { MemoryFileIO } from '../../src/io/memory.ts';
import { createService } from '../../src/service.ts';
import type { Service } from '../../src/service.ts';
import { BoundedSource } from '../../src/source/bounded-source.ts';
import type { SimBroker } from './broker.ts';
import type { SimGroup } from './group.ts';
import type { Network } from './network.ts';
import type { Plan } from './plan.ts';
import type { SeededRandom } from './random.ts';
import { SimRegistryClient } from './registry.ts';
import type { SimRegistry } from './registry.ts';
import { SimProcess } from './scheduler.ts';
import type { Scheduler } from './scheduler.ts';
import { SimSource } from './source.ts';
import { SimCatalog, SimFileIO } from './stores.ts';
import type { TableSpec } from './tables.ts';
import type { Trace } from './trace.ts';

/** A place where an instance runs; when it dies another one is started. */
export interface Slot {
  readonly name: string;
  readonly group: SimGroup;
  /** The table of a backfill, which ends by itself; null: the service. */
  readonly backfill: TableSpec | null;
  config: Config;
  generation: number;
  process: SimProcess | null;
  service: Service | null;
  source: SimSource | null;
  io: SimFileIO | null;
  /** Of the newest process: its exit code, null while it runs. */
  exit: number | null;
  /** Tables that have stopped in the newest process, and why. */
  readonly stopped: Map<string, ErrorCode>;
  /** ms that its wall clock is off. */
  clock: number;
  /** A person has asked for it to be started anew. */
  restart: boolean;
}

export interface InstancesOptions {
  readonly plan: Plan;
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  readonly network: Network;
  readonly trace: Trace;
  readonly broker: SimBroker;
  readonly registry: SimRegistry;
  readonly catalog: MemoryCatalog;
  readonly io: MemoryFileIO;
  /** What a stale read gives, by table: the state before the last change. */
  readonly before: ReadonlyMap<string, LoadedTable>;
  /** ms that the wall clocks of all instances are off. */
  readonly clock: () => number;
  readonly problem: (text: string) => void;
  /** Whether it is true of the run that a table, or the service, stops so. */
  readonly standsUp: (table: string | null, code: ErrorCode) => boolean;
}

/** The processes of a run: started, killed, started again. */
export class Instances {
  readonly slots: Slot[] = [];
  readonly #o: InstancesOptions;
  /** No more faults: whoever ends because of a data problem waits for a person. */
  calm = false;
  /** Whoever ends is not started again. */
  ending = false;

  constructor(options: InstancesOptions) {
    this.#o = options;
  }

  add(name: string, group: SimGroup, config: Config, backfill: TableSpec | null = null): Slot {
    const slot: Slot = {
      name,
      group,
      backfill,
      config,
      generation: 0,
      process: null,
      service: null,
      source: null,
      io: null,
      exit: null,
      stopped: new Map(),
      clock: 0,
      restart: false,
    };
    this.slots.push(slot);
    return slot;
  }

  start(slot: Slot): void {
    if (slot.process?.alive) return;
    const { scheduler, random, network, trace, broker, registry, catalog, io, before, clock, plan } = this.#o;
    const process = new SimProcess(
      `${slot.name}.${++slot.generation}`,
      scheduler,
      random.fork(),
      () => clock() + slot.clock,
    );
    const logger = pino(
      { level: 'info', base: null, timestamp: false },
      { write: (line: string) => this.#log(slot, process, line) },
    );
    const source = new SimSource({
      process,
      network,
      broker,
      group: slot.group,
      isolation: plan.isolation,
      fetchBytes: plan.padding > 0 ? 8 << 10 : 800,
      logger,
    });
    const ends = slot.backfill?.bounds;
    const bounded = ends
      ? new BoundedSource(source, { end: ({ partition }) => ends[partition]?.[1] ?? 0, rate: null }, process.ports)
      : source;
    const client = new SimCatalog(
      process,
      network,
      catalog,
      ({ namespace, name }) => before.get(JSON.stringify([...namespace, name])) ?? null,
    );
    const store = new SimFileIO(process, network, io);
    const service = createService(slot.config, {
      ports: process.ports,
      logger,
      untilCaughtUp: slot.backfill !== null,
      twins: {
        source: bounded,
        catalogs: {
          connect: (each) => each('lake', () => client.connect()),
          get: () => client,
          io: () => store,
          close: () => Promise.resolve(),
        },
        registry: (onHealth) => new SimRegistryClient(process, network, registry, onHealth),
        defer: (task) => void scheduler.at(0, process, task),
      },
    });
    slot.stopped.clear();
    Object.assign(slot, { process, service, source, io: store, exit: null });
    process.onKill = () => {
      trace.add(process.name, 'dies');
      slot.exit = 137;
      scheduler.at(random.between(200, 4000), null, () => this.start(slot));
    };
    trace.add(process.name, 'starts');
    void service.run().then(({ exit }) => this.#ended(slot, process, exit));
  }

  /** Invariant 8, at every step. */
  greed(): string | null {
    for (const { name, source, process } of this.slots)
      if (source && process?.alive && source.outstanding > source.limit)
        return `8: ${name} holds ${source.outstanding} fetched bytes, ${source.limit} are allowed`;
    return null;
  }

  /** Invariant 8, when all is done. */
  held(): string[] {
    return this.slots.flatMap(({ name, source, io, exit }) => {
      if (!source || !io || exit !== null) return [];
      const problems: string[] = [];
      if (source.outstanding !== 0 || source.budgeted !== 0)
        problems.push(
          `8: ${name} holds ${source.outstanding} fetched bytes for ever, by its budget ${source.budgeted}`,
        );
      if (io.openUploads !== 0) problems.push(`8: ${name} holds ${io.openUploads} uploads open for ever`);
      return problems;
    });
  }

  /** Starts each instance anew, as it is configured now. */
  restart(): void {
    for (const slot of this.slots) {
      if (slot.backfill && slot.exit === 0) continue;
      slot.restart = slot.exit === null;
      if (slot.exit === null) slot.service?.drain('a person starts it anew');
      else this.start(slot);
    }
  }

  #ended(slot: Slot, process: SimProcess, exit: number): void {
    if (!process.alive) return;
    this.#o.trace.add(process.name, `ends with ${exit}`);
    process.onKill = () => undefined;
    process.kill();
    slot.exit = exit;
    // A data problem needs a person; before that nobody starts it again in vain for ever. A backfill is done.
    const done = this.ending || (this.calm && exit === 3) || (slot.backfill !== null && exit === 0);
    if (done && !slot.restart) return;
    slot.restart = false;
    this.#o.scheduler.at(this.#o.random.between(1000, 5000), null, () => this.start(slot));
  }

  #log(slot: Slot, process: SimProcess, line: string): void {
    const { level, msg, table, ...fields } = JSON.parse(line) as Record<string, unknown> & {
      level: number;
      msg: string;
      table?: string;
    };
    const err = fields['err'] as { message?: string; stack?: string } | undefined;
    if (err) fields['err'] = level >= 60 || fields['code'] === 'INTERNAL' ? err.stack : err.message;
    const where = table === undefined ? '' : `[${table}] `;
    this.#o.trace.add(
      process.name,
      `${level >= 50 ? 'ERROR ' : level >= 40 ? 'warn ' : ''}${where}${msg} ${JSON.stringify(fields)}`,
    );
    const code = fields['code'] as ErrorCode | undefined;
    if (level < 50 || !code || !(code in errorTable)) return;
    const one = msg.startsWith('the table stops') ? table! : null;
    if (one === null && level < 60) return;
    if (one !== null) slot.stopped.set(one, code);
    if (!this.#o.standsUp(one, code))
      this.#o.problem(`7: ${process.name} stops with ${code}, which nothing explains: ${msg}`);
  }
}
