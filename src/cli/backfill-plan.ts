import { InvalidArgumentError } from 'commander';
import { knownOf } from '../commit/known.ts';
import type { Config, TablePlan } from '../config/config.ts';
import { parseSize } from '../config/units.ts';
import { TabletopicError } from '../errors.ts';
import { branchHead } from '../iceberg/ancestry.ts';
import { type Catalog, type TableIdent, identText } from '../iceberg/catalog.ts';
import { forkBranch } from '../maintain/fork.ts';
import type { Ports } from '../ports.ts';
import type { OffsetQuery, Source, TopicDescription } from '../source/source.ts';
import { plansFor } from './connected.ts';
import { parseTime } from './moment.ts';

/** An offset in every partition, or a time (ms). */
export type BackfillBound = { readonly offset: number } | { readonly timestamp: number };

export interface BackfillOptions {
  readonly config: string;
  readonly json: boolean;
  readonly topic: string;
  readonly into: string;
  /** Default: main. */
  readonly branch?: string;
  /** The table whose rule says how records are decoded. */
  readonly like?: string;
  readonly from?: BackfillBound;
  readonly to?: BackfillBound;
  /** Bytes a second. */
  readonly rate?: number;
}

export interface PartitionRange {
  readonly partition: number;
  /** Offsets [from, to). */
  readonly from: number;
  readonly to: number;
}

/** Digits are an offset, anything else a time. */
export function parseBound(text: string): BackfillBound {
  if (/^\d{1,15}$/.test(text)) return { offset: Number(text) };
  try {
    return { timestamp: parseTime(text) };
  } catch {
    throw new InvalidArgumentError('Write an offset, or a time as 2026-01-31T00:00:00Z.');
  }
}

export function parseRate(text: string): number {
  const bytes = parseSize(text);
  if (bytes === null || bytes < 1) throw new InvalidArgumentError('Write bytes a second with a unit, as 10MiB.');
  return bytes;
}

/** The rule that says how the records are decoded: of the table itself, of the one that is named, or the only one. */
export function planOf(config: Config, { topic, into, like, branch = 'main' }: BackfillOptions): TablePlan {
  const isInto = (plan: TablePlan): boolean => identText(plan) === identText(identOf(plan, into));
  const live = plansFor(config, [{ name: topic }], true).plans.find(isInto);
  if (live?.rule.branch === branch)
    throw new TabletopicError(
      'USAGE',
      `${into} is written by the service itself${branch === 'main' ? '' : ` on branch ${branch}`}: name a table or a branch of its own.`,
      {
        hint: 'Beside it: `--branch NAME`. To read records again into the live table itself, put it back: `tabletopic rollback`.',
        where: { table: into },
      },
    );
  const all = plansFor(config, [{ name: topic }], false).plans.filter(({ topics }) => topics.includes(topic));
  const candidates = all.filter((plan) => like === undefined || identText(plan) === like);
  const own = candidates.find(isInto);
  if (own) return own;
  if (candidates.length === 1) return candidates[0]!;
  const names = all.map(identText).join(', ');
  throw new TabletopicError(
    'USAGE',
    candidates.length > 1
      ? `Several tables take records of ${topic}: ${names}.`
      : all.length > 0
        ? `Topic ${topic} does not feed a table ${like}.`
        : `No rule of the configuration reads topic ${topic}.`,
    {
      hint:
        all.length > 0
          ? `Say whose rule decodes them: --like, one of ${names}.`
          : 'Its records are decoded as the rule of its live table says: add one.',
      where: { topic },
    },
  );
}

/** The table of a name as the plan's rule would place it. */
export function identOf({ rule }: TablePlan, into: string): TableIdent {
  const levels = into.split('.');
  return { namespace: levels.length === 1 ? rule.namespace.split('.') : levels.slice(0, -1), name: levels.at(-1)! };
}

/** Where each partition's range begins and ends, within what the log holds; `logStart`: where the log begins. */
export async function rangesOf(
  source: Source,
  topic: TopicDescription,
  { from, to }: BackfillOptions,
): Promise<{ readonly ranges: readonly PartitionRange[]; readonly logStart: ReadonlyMap<number, number> }> {
  const partitions = topic.partitions.map(({ partition }) => partition);
  const list = (at: OffsetQuery): Promise<number[]> =>
    source.listOffsets(partitions.map((partition) => ({ topic: topic.name, partition, at })));
  const [starts, ends] = [await list('earliest'), await list('latest')];
  const resolve = async (bound: BackfillBound | undefined, none: readonly number[]): Promise<readonly number[]> => {
    if (bound === undefined) return none;
    return 'timestamp' in bound ? list({ timestamp: bound.timestamp }) : partitions.map(() => bound.offset);
  };
  const [first, last] = [await resolve(from, starts), await resolve(to, ends)];
  const inside = (offset: number, i: number): number => Math.min(ends[i]!, Math.max(starts[i]!, offset));
  const ranges = partitions.map((partition, i) => {
    const start = inside(first[i]!, i);
    return { partition, from: start, to: Math.max(start, inside(last[i]!, i)) };
  });
  return { ranges, logStart: new Map(partitions.map((partition, i) => [partition, starts[i]!])) };
}

/**
 * Begins the branch where one is asked for, and fits the ranges to what the table holds already. Rejects with `USAGE`
 * where it begins after what is asked for: offsets before its first ones never come into a table.
 */
export async function startOf(
  catalog: Catalog,
  ident: TableIdent,
  { topic, from, branch = 'main' }: BackfillOptions,
  { ranges, logStart }: Awaited<ReturnType<typeof rangesOf>>,
  ports: Ports,
): Promise<readonly PartitionRange[]> {
  const before = await catalog.loadTable(ident, 'all');
  if (before === null) return ranges;
  const asked = from && new Map(ranges.map((range) => [range.partition, range.from]));
  if (branch !== 'main')
    await forkBranch({ address: { catalog, ident, branch }, ports, topic, from: asked ?? null, logStart });
  const table = (await catalog.loadTable(ident, 'all'))!;
  if (branchHead(table.metadata, branch) === null) return ranges;
  const offsets = knownOf(table, branch)?.offsets?.[topic];
  if (!offsets) return ranges;
  return ranges.map(({ partition, from: start, to }) => {
    // A partition that came later is read from its start.
    const [first = 0, next = 0] = [offsets.first[partition], offsets.next[partition]];
    if (asked && first > start) throw beginsLater(ident, topic, partition, first, start);
    const at = asked ? Math.min(start, next) : first;
    return { partition, from: at, to: Math.max(at, to) };
  });
}

function beginsLater(
  ident: TableIdent,
  topic: string,
  partition: number,
  first: number,
  start: number,
): TabletopicError {
  return new TabletopicError(
    'USAGE',
    `${identText(ident)} begins at offset ${first} of ${topic}[${partition}]: what is before, from ${start} on, cannot come into it any more.`,
    { hint: 'Name a new table (--into).', where: { table: identText(ident), topic, partition } },
  );
}

/**
 * No group, and no port that the service beside it has. The rules that take other records of the topic stay, so that
 * they are not taken for records that nobody takes; the service is told to write one table only.
 */
export function backfillConfig(
  config: Config,
  { rule }: TablePlan,
  { topic, into, branch = 'main' }: BackfillOptions,
  ranges: readonly PartitionRange[],
): Config {
  const offsets = Object.fromEntries(ranges.map(({ partition, from }) => [String(partition), from]));
  const own = {
    ...rule,
    topic,
    topicPattern: null,
    table: into,
    branch,
    location: null,
    deadLetterTopic: null,
    startFrom: { offsets },
  };
  const routed = config.tables.filter((other) => other === rule || (other.topic === topic && other.route !== null));
  return {
    ...config,
    kafka: { ...config.kafka, instanceId: null },
    http: null,
    tables: rule.route === null ? [own] : routed.map((other) => (other === rule ? own : other)),
  };
}
