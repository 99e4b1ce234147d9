import { parseConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/config.ts';
import type { Produced } from './broker.ts';
import type { Plan } from './plan.ts';
import { markOf } from './values.ts';

/** A table of a run, and what it should hold. */
export interface TableSpec {
  readonly namespace: readonly string[];
  readonly name: string;
  readonly branch: Plan['branch'];
  readonly topics: readonly string[];
  /** What tells the record of a row, and of a record the same. */
  readonly markOf: (row: Record<string, unknown>) => string;
  readonly markIn: (produced: Produced) => string;
  /** Whether a record is the table's by its route. */
  readonly takes: (produced: Produced) => boolean;
  /** Offsets [from, to) of each partition, where the table holds a part of its topic only. */
  readonly bounds: readonly (readonly [from: number, to: number])[] | null;
}

export const TOPIC = 'shop.orders';
const SECOND_TOPIC = 'shop.returns';
/** Topics that a pattern finds. */
export const LATE = ['shop.late_a', 'shop.late_b'] as const;

/** Tables that part the topic by the first letter of a record's mark. */
const ROUTED = ['orders', 'orders_one', 'orders_rest'] as const;

/** Topics that exist when the run begins. */
export function firstTopics({ tables }: Plan): readonly string[] {
  return tables === 'shared' ? [TOPIC, SECOND_TOPIC] : [TOPIC];
}

export function tablesOf(plan: Plan): TableSpec[] {
  const { branch, format, tables } = plan;
  const ordinary = {
    namespace: ['shop'],
    markOf: markOf[format],
    markIn: ({ mark }: Produced) => mark,
    takes: () => true,
    bounds: null,
  };
  const main: TableSpec = { ...ordinary, name: 'orders', branch, topics: firstTopics(plan) };
  switch (tables) {
    case 'second':
      return [
        main,
        {
          ...ordinary,
          name: 'orders_raw',
          branch: 'main',
          topics: [TOPIC],
          markOf: markOf.bytes,
          markIn: ({ value }) => value.toString('hex'),
        },
      ];
    case 'pattern':
      return [
        main,
        ...LATE.map((topic) => ({ ...ordinary, name: topic.slice(5), branch: 'main' as const, topics: [topic] })),
      ];
    case 'routed':
      return ['0', '1', '2'].map((first, n) => ({
        ...main,
        name: ROUTED[n]!,
        branch: n === 0 ? branch : 'main',
        takes: ({ mark }) => mark.startsWith(first),
      }));
    default:
      return [main];
  }
}

/** The table of a backfill, once that begins. */
export function backfillTable({ format }: Plan, bounds: NonNullable<TableSpec['bounds']>): TableSpec {
  return {
    namespace: ['shop'],
    name: 'orders_again',
    branch: 'main',
    topics: [TOPIC],
    markOf: markOf[format],
    markIn: ({ mark }) => mark,
    takes: () => true,
    bounds,
  };
}

export function configOf(plan: Plan): Config {
  const { format, tables, branch } = plan;
  const rules = [
    ...firstTopics(plan).map(
      (topic) =>
        `topic: ${topic}, table: shop.orders, value: { format: ${format} }, branch: ${branch}${tables === 'routed' ? ', route: { header: { name: first, equals: "0" } }' : ''}`,
    ),
    ...(tables === 'routed' ? routedRules(plan) : []),
    ...(tables === 'second' ? [`topic: ${TOPIC}, table: shop.orders_raw, value: { format: bytes }`] : []),
    ...(tables === 'pattern'
      ? [`topicPattern: '^shop\\.late_(.)$', table: shop.late_$1, value: { format: ${format} }`]
      : []),
  ];
  const base = parseConfig(
    `kafka: { brokers: ["sim:9092"], groupId: sim, instanceId: none, isolation: ${plan.isolation} }
schemaRegistry: { url: "http://sim:8081" }
catalogs: { lake: { type: sql, uri: "sqlite:./unused.db", warehouse: "file:///unused" } }
defaults:
  compression: none
  inferRecords: 20
  inferTime: 1s
  onMissingOffsets: ${plan.onMissingOffsets}
  onDropped: ${plan.onDropped}
  formatVersion: ${plan.seed % 2 === 0 ? 3 : 2}
tables:
${rules.map((rule) => `  - { ${rule} }`).join('\n')}
workers: 0
`,
    { env: {}, directory: '/', file: 'simulation.yaml' },
  );
  // Times and sizes of a simulation are below what is sensible elsewhere.
  return {
    ...base,
    http: null,
    memory: plan.memory,
    tables: base.tables.map((rule) => ({ ...rule, commitInterval: plan.commitInterval })),
  };
}

/** By a field where every value can be read, by a header, and what is left. */
function routedRules({ format, poison }: Plan): readonly string[] {
  const second =
    format === 'string' || poison > 0
      ? '{ header: { name: first, equals: "1" } }'
      : '{ field: { path: id, matches: "^1" } }';
  return [second, 'otherwise'].map(
    (route, n) => `topic: ${TOPIC}, table: shop.${ROUTED[n + 1]!}, value: { format: ${format} }, route: ${route}`,
  );
}

/** As `tabletopic backfill` has it: one table, no group. */
export function backfillConfig(config: Config, { name, bounds }: TableSpec): Config {
  const offsets = Object.fromEntries(bounds!.map(([from], partition) => [String(partition), from]));
  const rule = config.tables.find(({ topic }) => topic === TOPIC)!;
  return {
    ...config,
    tables: [{ ...rule, table: `shop.${name}`, branch: 'main', startFrom: { offsets } }],
  };
}
