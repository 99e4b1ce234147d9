import type { ErrorCode } from '../../src/errors.ts';
import type { Isolation } from '../../src/source/source.ts';
import type { FaultKind, RequestFault } from './network.ts';
import type { SeededRandom } from './random.ts';

/** What happens in a run beside requests that fail. */
export type HappeningKind =
  /** At any await: the process never sees its n-th event from now. */
  | 'crash'
  /** SIGSTOP, up to three sessions long: a zombie. */
  | 'pause'
  | 'drain'
  /** The wall clocks of all instances, or of one, are set up to an hour on or back. */
  | 'clock jump'
  | 'clock of one jumps'
  /** Every clock goes on by hours (all machines slept), and then files that nobody names are removed by age. */
  | 'night'
  | 'orphan removal'
  /** A server refuses every request for some seconds: broker, catalog, store or registry. */
  | 'outage'
  /** One instance gets 401 or 403 from catalog and store for some seconds. */
  | 'credentials expire'
  /** Also in the middle of a flush: revocation and commit overlap by the delays of the network. */
  | 'rebalance'
  | 'partition added'
  | 'topic appears'
  | 'topic recreated'
  | 'retention'
  | 'log compaction'
  | 'unclean election'
  | 'schema evolved'
  | 'rollback'
  | 'rollback and expiry'
  /** A rollback, another's snapshot on top, and all other snapshots expire: where the table stood can no longer be seen. */
  | 'history lost'
  | 'table compaction'
  | 'rows deleted'
  | 'foreign snapshot'
  | 'expire'
  | 'spec changed'
  | 'column dropped'
  | 'publish'
  | 'backfill'
  | 'plant duplicate'
  | 'plant hole'
  | 'plant lost file'
  | 'plant lost dead letters'
  | 'plant greed'
  | 'plant stuck';

export interface Happening {
  /** ms of virtual time. */
  readonly at: number;
  readonly kind: HappeningKind;
}

/** Everything that a run draws from its seed at its start. */
export interface Plan {
  readonly seed: number;
  readonly instances: number;
  /** Consumer groups that the instances are spread over: with two, by mistake, both write all partitions. */
  readonly groups: 1 | 2;
  readonly partitions: number;
  readonly isolation: Isolation;
  readonly format: 'string' | 'json' | 'avro';
  /**
   * Beside the table of the topic: a second table of the same topic; tables of topics that a pattern finds as they
   * appear; a second topic that feeds the same table; the topic parted between three tables by `route`.
   */
  readonly tables: 'one' | 'second' | 'pattern' | 'shared' | 'routed';
  /** Branch that is written; `audit` is published by happenings. */
  readonly branch: 'main' | 'audit';
  readonly poison: number;
  /** Most ms between two batches. */
  readonly pace: number;
  /** Bytes that each value is longer. */
  readonly padding: number;
  /** The service's memory budget, bytes. */
  readonly memory: number;
  readonly commitInterval: number;
  readonly onMissingOffsets: 'stop' | 'skip';
  readonly onDropped: 'stop' | 'recreate';
  /** Once faults have stopped, a person does what a stopped table asks for (`tabletopic adopt`), and it goes on. */
  readonly operator: boolean;
  /** ms: faults and producers end then. */
  readonly calmAt: number;
  readonly faults: readonly RequestFault[];
  readonly happenings: readonly Happening[];
}

/** One instance, two partitions, and nothing happens: what tests change. */
export const quiet: Plan = {
  seed: 1,
  instances: 1,
  groups: 1,
  partitions: 2,
  isolation: 'read_committed',
  format: 'string',
  tables: 'one',
  branch: 'main',
  poison: 0,
  pace: 1500,
  padding: 0,
  memory: 1 << 30,
  commitInterval: 1000,
  onMissingOffsets: 'stop',
  onDropped: 'stop',
  operator: false,
  calmAt: 12_000,
  faults: [],
  happenings: [],
};

/** Stops that a happening explains, in this run at any time after it. */
export const explains: Partial<Record<HappeningKind, readonly ErrorCode[]>> = {
  'topic recreated': ['KAFKA_TOPIC_CHANGED', 'KAFKA_TOPIC_MISSING', 'KAFKA_LOG_TRUNCATED', 'KAFKA_OFFSETS_DELETED'],
  retention: ['KAFKA_OFFSETS_DELETED'],
  'unclean election': ['KAFKA_LOG_TRUNCATED'],
  expire: ['OFFSETS_AMBIGUOUS'],
  'rollback and expiry': ['OFFSETS_AMBIGUOUS'],
  'history lost': ['OFFSETS_AMBIGUOUS'],
  'column dropped': ['TABLE_CHANGED'],
};

const common: readonly HappeningKind[] = [
  'crash',
  'crash',
  'crash',
  'pause',
  'pause',
  'drain',
  'clock jump',
  'clock of one jumps',
  'rebalance',
  'rebalance',
];
const kafka: readonly HappeningKind[] = ['partition added', 'retention', 'retention', 'log compaction'];
const others: readonly HappeningKind[] = [
  'rollback',
  'rollback',
  'rollback and expiry',
  'table compaction',
  'rows deleted',
  'foreign snapshot',
  'expire',
  'spec changed',
];
const servers: readonly HappeningKind[] = ['outage', 'outage', 'credentials expire', 'night', 'orphan removal'];
/** A person has to act on most of them. */
const rare: readonly HappeningKind[] = ['topic recreated', 'unclean election', 'column dropped', 'history lost'];

const operations: Readonly<Record<string, { readonly kinds: readonly FaultKind[]; readonly calls: number }>> = {
  'catalog.commit': {
    kinds: [
      'refused',
      'failed',
      'lost-answer',
      'lost-answer',
      'lost-request',
      'late',
      'late',
      'delay',
      'conflict',
      'twice',
    ],
    calls: 40,
  },
  'catalog.load': { kinds: ['refused', 'failed', 'delay', 'stale', 'stale'], calls: 60 },
  'catalog.create': { kinds: ['refused', 'failed', 'lost-answer', 'late', 'twice'], calls: 3 },
  'store.write': { kinds: ['refused', 'failed', 'lost-answer', 'lost-request', 'late', 'delay', 'twice'], calls: 100 },
  // Parts of a multipart upload, and its completion.
  'store.part': { kinds: ['refused', 'failed', 'lost-answer', 'lost-request', 'delay'], calls: 80 },
  'store.complete': {
    kinds: ['refused', 'failed', 'lost-answer', 'lost-request', 'late', 'delay', 'twice'],
    calls: 30,
  },
  'store.read': { kinds: ['failed', 'delay'], calls: 40 },
  'store.list': { kinds: ['failed', 'delay'], calls: 10 },
  'store.delete': { kinds: ['failed', 'lost-answer', 'late', 'twice'], calls: 10 },
  'registry.schema': { kinds: ['refused', 'failed', 'delay'], calls: 8 },
  'registry.latest': { kinds: ['refused', 'failed', 'delay'], calls: 3 },
  'kafka.connect': { kinds: ['failed'], calls: 3 },
  'kafka.metadata': { kinds: ['failed', 'delay'], calls: 15 },
  'kafka.offsets': { kinds: ['failed', 'delay'], calls: 20 },
  'kafka.join': { kinds: ['failed', 'lost-answer', 'late', 'twice'], calls: 4 },
  'kafka.heartbeat': { kinds: ['failed', 'delay', 'twice'], calls: 60 },
  'kafka.fetch': { kinds: ['failed', 'delay', 'late', 'twice'], calls: 150 },
  'kafka.commit': { kinds: ['failed', 'late', 'twice'], calls: 20 },
};

export function planOf(seed: number, random: SeededRandom): Plan {
  const many = random.chance(0.03);
  const calmAt = many ? 36_000 : random.between(15_000, 45_000);
  const instances = random.pick([1, 1, 2, 2, 2, 3, 3, 5]);
  const format = many ? 'json' : random.pick(['string', 'json', 'avro', 'avro'] as const);
  const tables = random.pick(['one', 'one', 'one', 'second', 'pattern', 'shared', 'routed'] as const);
  const branch = random.chance(0.1) ? 'audit' : 'main';
  const big = random.chance(0.2);
  return {
    seed,
    instances,
    groups: instances > 1 && random.chance(0.1) ? 2 : 1,
    partitions: many ? 5 : Math.max(random.between(1, 3), instances > 2 ? instances : 1),
    isolation: random.chance(0.75) ? 'read_committed' : 'read_uncommitted',
    format,
    tables,
    branch,
    poison: many ? 0.7 : format !== 'string' && random.chance(0.5) ? 0.15 : 0,
    pace: many ? 100 : 1500,
    padding: big ? 500 : 0,
    memory: big ? 64 << 10 : 1 << 30,
    commitInterval: many ? 200 : random.pick([500, 1000, 2500]),
    onMissingOffsets: random.pick(['stop', 'skip'] as const),
    onDropped: random.pick(['stop', 'recreate'] as const),
    operator: true,
    calmAt,
    faults: faultsOf(random),
    happenings: happeningsOf(random, { calmAt, format, tables, branch }),
  };
}

function faultsOf(random: SeededRandom): RequestFault[] {
  const heavy = random.pick([0, 4, 12, 25]);
  const faults = Array.from({ length: random.below(heavy + 1) }, (): RequestFault => {
    const operation = random.pick(random.chance(0.4) ? ['catalog.commit'] : Object.keys(operations));
    const { kinds, calls } = operations[operation]!;
    return { operation, n: random.between(1, calls), kind: random.pick(kinds) };
  });
  if (random.chance(0.05))
    faults.push({
      operation: random.pick(['catalog.commit', 'catalog.load', 'store.write']),
      n: random.between(1, 20),
      kind: 'auth',
    });
  return faults;
}

function happeningsOf(
  random: SeededRandom,
  { calmAt, format, tables, branch }: Pick<Plan, 'calmAt' | 'format' | 'tables' | 'branch'>,
): Happening[] {
  const happenings: Happening[] = [];
  const some = (kinds: readonly HappeningKind[], most: number, least = 0): void => {
    for (let n = random.between(least, most); n > 0; n--)
      happenings.push({ at: random.between(500, calmAt), kind: random.pick(kinds) });
  };
  some(common, 6);
  if (random.chance(0.5)) some(kafka, 3);
  if (random.chance(0.5)) some(others, 4);
  if (random.chance(0.3)) some(servers, 3);
  if (random.chance(0.15)) some(rare, 1);
  // A backfill's table takes the whole topic.
  if (random.chance(0.1) && tables !== 'routed') some(['backfill'], 1, 1);
  if (format === 'avro') some(['schema evolved'], 5);
  if (tables === 'pattern') some(['topic appears'], 2, 1);
  if (branch !== 'main') some(['publish'], 4, 1);
  return happenings.sort((a, b) => a.at - b.at);
}

export function planText(plan: Plan): string {
  const { faults, happenings, ...rest } = plan;
  return [
    JSON.stringify(rest),
    ...faults.map(({ operation, n, kind }) => `request fault: ${operation} #${n} ${kind}`),
    ...happenings.map(({ at, kind }) => `happening: ${(at / 1000).toFixed(3)} ${kind}`),
  ].join('\n');
}
