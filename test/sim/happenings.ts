import type { Checker } from './checker.ts';
import type { Foreign } from './foreign.ts';
import type { SimGroup } from './group.ts';
import type { Instances, Slot } from './instances.ts';
import type { Network } from './network.ts';
import type { Operator } from './operator.ts';
import type { HappeningKind, Plan } from './plan.ts';
import type { SeededRandom } from './random.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimBroker } from './broker.ts';
import { LATE, TOPIC } from './tables.ts';
import type { Producers } from './values.ts';

/** A table with who checks it and who else writes it. */
export interface SimTable {
  readonly checker: Checker;
  readonly foreign: Foreign;
}

export interface World {
  readonly plan: Plan;
  readonly random: SeededRandom;
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly broker: SimBroker;
  readonly groups: readonly SimGroup[];
  readonly producers: Producers;
  readonly instances: Instances;
  readonly operator: Operator;
  /** ms by which clocks are off: those of the instances, and those of all machines. */
  readonly clocks: { instances: number; all: number };
  /** Those of the service. */
  readonly tables: readonly SimTable[];
  /** Begins a backfill of the topic; the end is what it holds now. */
  readonly backfill: () => string;
}

const HOUR = 3_600_000;

/** Does what a plan says beside the faults of requests; what it was. */
export async function happen(kind: HappeningKind, world: World): Promise<string> {
  const { plan, random, scheduler, network, broker, groups, producers, instances, operator, clocks } = world;
  const alive = instances.slots.filter(({ process }) => process?.alive);
  const slot: Slot | null = alive.length > 0 ? random.pick(alive) : null;
  const topics = [...broker.topics.values()];
  const topic = topics.length > 0 ? random.pick(topics) : null;
  const partition = topic ? random.pick(topic.partitions) : null;
  const index = topic && partition ? `${topic.name}/${topic.partitions.indexOf(partition)}` : 'none';
  const { checker, foreign } = random.pick(world.tables);
  switch (kind) {
    case 'crash':
      if (!slot?.process) return 'nobody is there';
      slot.process.crashAt = slot.process.events + random.between(1, 120);
      return `${slot.process.name} at its event ${slot.process.crashAt}`;
    case 'pause':
      if (!slot?.process) return 'nobody is there';
      slot.process.pausedUntil = scheduler.now + random.between(500, 20_000);
      return `${slot.process.name} until ${slot.process.pausedUntil}`;
    case 'drain':
      slot?.service?.drain('by the plan');
      return slot?.name ?? 'nobody';
    case 'clock jump':
      clocks.instances += random.between(-HOUR, HOUR);
      return `${clocks.instances} ms`;
    case 'clock of one jumps':
      if (!slot) return 'nobody is there';
      slot.clock += random.between(-HOUR, HOUR);
      return `${slot.name} ${slot.clock} ms`;
    case 'night':
      clocks.all += random.between(HOUR / 3, 40 * HOUR);
      for (const after of [random.below(3000), random.between(3000, 10_000)])
        scheduler.at(after, null, () => void removeOrphans(world));
      return `${clocks.all} ms`;
    case 'orphan removal':
      return removeOrphans(world);
    case 'outage': {
      const operations = random.pick(['kafka.', 'catalog.', 'store.', 'registry.']);
      const until = scheduler.now + random.between(500, 12_000);
      network.outage({ operations, kind: 'refused', until, process: null });
      return `${operations} until ${until}`;
    }
    case 'credentials expire': {
      if (!slot?.process) return 'nobody is there';
      const until = scheduler.now + random.between(500, 6000);
      for (const operations of random.pick([['catalog.'], ['store.'], ['catalog.', 'store.']]))
        network.outage({ operations, kind: 'auth', until, process: slot.process });
      return `${slot.process.name} until ${until}`;
    }
    case 'rebalance':
      for (const group of groups) group.rebalance();
      return '';
    case 'partition added':
      if (topic) broker.grow(topic);
      return `${topic?.name} ${topic?.partitions.length}`;
    case 'topic appears': {
      const name = LATE.find((one) => !broker.topics.has(one));
      if (name === undefined) return 'all are there';
      return broker.create(name, random.between(1, 2)).name;
    }
    case 'topic recreated':
      if (!topic) return 'it is gone';
      broker.deleteTopic(topic.name);
      scheduler.at(random.below(8000), null, () => void broker.create(topic.name, plan.partitions));
      return topic.name;
    case 'retention': {
      if (!partition) return 'no topic';
      const { log } = partition;
      const to = random.between(log.logStart, log.lastStableOffset);
      broker.deleteBefore(partition, to);
      return `${index} begins at ${to}`;
    }
    case 'log compaction':
      if (partition) broker.compact(partition);
      return index;
    case 'unclean election': {
      if (!partition) return 'no topic';
      broker.truncate(partition, Math.max(partition.log.logStart, partition.log.end - random.between(0, 6)));
      return `${index} ends at ${partition.log.end}, epoch ${partition.log.leaderEpoch}`;
    }
    case 'schema evolved':
      return topic ? producers.evolve(random, topic.name) : 'no topic';
    case 'rollback':
      return foreign.rollback();
    case 'rollback and expiry':
      return foreign.rollbackAndExpire();
    case 'history lost':
      return `${await foreign.rollback()}; ${await foreign.touch()}; ${await foreign.expire(0)}`;
    case 'table compaction':
      return foreign.compact();
    case 'rows deleted':
      return foreign.deleteRows();
    case 'foreign snapshot':
      return foreign.touch();
    case 'expire':
      return foreign.expire(random.pick([0, 0, 1, 3]));
    case 'spec changed':
      return foreign.respec();
    case 'column dropped':
      return foreign.dropColumn();
    case 'publish':
      return operator.publish(checker);
    case 'backfill':
      return broker.topics.has(TOPIC) ? world.backfill() : 'no topic';
    case 'plant duplicate':
      return foreign.duplicate();
    case 'plant hole':
      return foreign.drop();
    case 'plant lost file':
      return foreign.lose();
    case 'plant lost dead letters':
      return foreign.loseDeadLetters();
    case 'plant greed':
      if (slot?.source) slot.source.outstanding += slot.source.limit + 1;
      return 'more was fetched than the budget allows';
    case 'plant stuck':
      network.blocked = 'catalog.commit';
      return 'no commit is taken any more';
  }
}

async function removeOrphans({ tables }: World): Promise<string> {
  const said: string[] = [];
  for (const { foreign } of tables) said.push(await foreign.removeOrphans());
  return said.join('; ');
}
