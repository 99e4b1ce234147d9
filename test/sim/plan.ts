import type { ErrorCode } from '../../src/errors.ts';
import type { Isolation } from '../../src/source/source.ts';
import type { FaultKind, RequestFault } from './network.ts';
import type { SeededRandom } from './random.ts';

/** What happens in a run beside requests that fail. */
export type HappeningKind =
  | 'crash'
  | 'pause'
  | 'drain'
  | 'clock jump'
  | 'rebalance'
  | 'partition added'
  | 'topic recreated'
  | 'retention'
  | 'log compaction'
  | 'unclean election'
  | 'rollback'
  | 'table compaction'
  | 'foreign snapshot'
  | 'expire'
  | 'spec changed'
  | 'column dropped'
  | 'plant duplicate'
  | 'plant hole'
  | 'plant lost file'
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
  readonly partitions: number;
  readonly isolation: Isolation;
  readonly format: 'string' | 'json';
  readonly poison: number;
  readonly commitInterval: number;
  readonly onMissingOffsets: 'stop' | 'skip';
  readonly onDropped: 'stop' | 'recreate';
  /** ms: faults and producers end then. */
  readonly calmAt: number;
  readonly faults: readonly RequestFault[];
  readonly happenings: readonly Happening[];
}

/** Stops that a happening explains, in this run at any time after it. */
export const explains: Partial<Record<HappeningKind, readonly ErrorCode[]>> = {
  'topic recreated': ['KAFKA_TOPIC_CHANGED', 'KAFKA_TOPIC_MISSING', 'KAFKA_LOG_TRUNCATED', 'KAFKA_OFFSETS_DELETED'],
  retention: ['KAFKA_OFFSETS_DELETED'],
  'unclean election': ['KAFKA_LOG_TRUNCATED'],
  expire: ['OFFSETS_AMBIGUOUS'],
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
  'rebalance',
  'rebalance',
];
const kafka: readonly HappeningKind[] = ['partition added', 'retention', 'log compaction', 'log compaction'];
const others: readonly HappeningKind[] = [
  'rollback',
  'rollback',
  'table compaction',
  'foreign snapshot',
  'expire',
  'spec changed',
];
/** They mostly end a run. */
const rare: readonly HappeningKind[] = ['topic recreated', 'unclean election', 'column dropped'];

const operations: Readonly<Record<string, { readonly kinds: readonly FaultKind[]; readonly calls: number }>> = {
  'catalog.commit': {
    kinds: ['refused', 'failed', 'lost-answer', 'lost-answer', 'lost-request', 'late', 'late', 'delay', 'conflict'],
    calls: 40,
  },
  'catalog.load': { kinds: ['refused', 'failed', 'delay', 'stale', 'stale'], calls: 60 },
  'catalog.create': { kinds: ['refused', 'failed', 'lost-answer', 'late'], calls: 3 },
  'store.write': { kinds: ['refused', 'failed', 'lost-answer', 'lost-request', 'late', 'delay'], calls: 100 },
  'store.part': { kinds: ['failed', 'delay'], calls: 40 },
  'store.read': { kinds: ['failed', 'delay'], calls: 40 },
  'store.list': { kinds: ['failed', 'delay'], calls: 10 },
  'store.delete': { kinds: ['failed', 'lost-answer', 'late'], calls: 10 },
  'kafka.connect': { kinds: ['failed'], calls: 3 },
  'kafka.metadata': { kinds: ['failed', 'delay'], calls: 15 },
  'kafka.offsets': { kinds: ['failed', 'delay'], calls: 20 },
  'kafka.heartbeat': { kinds: ['failed', 'delay'], calls: 60 },
  'kafka.fetch': { kinds: ['failed', 'delay', 'late'], calls: 150 },
  'kafka.commit': { kinds: ['failed', 'late'], calls: 20 },
};

export function planOf(seed: number, random: SeededRandom): Plan {
  const calmAt = random.between(15_000, 45_000);
  const instances = random.pick([1, 1, 2, 2, 2, 3]);
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
  const happenings: Happening[] = [];
  const some = (kinds: readonly HappeningKind[], most: number): void => {
    for (let n = random.below(most + 1); n > 0; n--)
      happenings.push({ at: random.between(500, calmAt), kind: random.pick(kinds) });
  };
  some(common, 6);
  if (random.chance(0.5)) some(kafka, 3);
  if (random.chance(0.5)) some(others, 4);
  if (random.chance(0.1)) some(rare, 1);
  const format = random.pick(['string', 'json'] as const);
  return {
    seed,
    instances,
    partitions: random.between(1, 3),
    isolation: random.chance(0.75) ? 'read_committed' : 'read_uncommitted',
    format,
    poison: format === 'json' && random.chance(0.5) ? 0.15 : 0,
    commitInterval: random.pick([500, 1000, 2500]),
    onMissingOffsets: random.pick(['stop', 'skip'] as const),
    onDropped: random.pick(['stop', 'recreate'] as const),
    calmAt,
    faults,
    happenings: happenings.sort((a, b) => a.at - b.at),
  };
}

export function planText(plan: Plan): string {
  const { faults, happenings, ...rest } = plan;
  return [
    JSON.stringify(rest),
    ...faults.map(({ operation, n, kind }) => `request fault: ${operation} #${n} ${kind}`),
    ...happenings.map(({ at, kind }) => `happening: ${(at / 1000).toFixed(3)} ${kind}`),
  ].join('\n');
}
