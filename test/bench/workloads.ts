import type { Format, Load, Records } from '../real/generator.ts';

/** Scenarios that load topics and measure how fast they become tables. */
export const scenarios = ['ingest', 'wide-strings', 'nested', 'partitioned', 'small-topics'] as const;
export type Scenario = (typeof scenarios)[number];

/** Records, the topics they are in, and what is asked of their tables. */
export interface Workload {
  /** What a baseline is kept under. */
  readonly id: string;
  readonly scenario: Scenario;
  readonly format: Format;
  readonly compression: NonNullable<Load['compression']>;
  readonly fields: number;
  /** In all topics together, spread evenly. */
  readonly records: number;
  readonly topics: number;
  readonly partitionsPerTopic: number;
  readonly shape: Pick<Records, 'fields' | 'text' | 'items'>;
  readonly partitionBy?: readonly string[];
}

export interface Wish {
  readonly scenario: Scenario;
  readonly format: Format;
  readonly compression: Workload['compression'];
  readonly fields: number;
  /** Absent: about as many bytes as 2,000,000 plain records have. */
  readonly records?: number | undefined;
}

/** Bytes of one text where strings are wide. */
const WIDE_TEXT = 1000;
const SMALL_TOPICS = 100;

/** The workload of a scenario. */
export function workload({ scenario, format, compression, fields, records }: Wish): Workload {
  const of: Partial<Workload> & { readonly records: number } = {
    ingest: { records: 2e7 / fields },
    'wide-strings': { records: 400_000, shape: { text: WIDE_TEXT } },
    nested: { records: 1_000_000, shape: { items: true } },
    partitioned: { records: 2_000_000, partitionBy: ['bucket(100, user_id)'] },
    'small-topics': { records: 1_000_000, topics: SMALL_TOPICS, partitionsPerTopic: 1 },
  }[scenario];
  const topics = of.topics ?? 1;
  return {
    id: [scenario, format, compression, ...(fields === 10 ? [] : [fields])].join('-'),
    scenario,
    format,
    compression,
    fields,
    topics,
    partitionsPerTopic: 4,
    ...of,
    shape: { ...of.shape, ...(fields === 10 ? {} : { fields }) },
    records: Math.ceil((records ?? of.records) / topics) * topics,
  };
}

/** Names of its topics, and so of its tables. */
export function topicsOf({ id, topics }: Workload): readonly string[] {
  const name = `bench.${id.replaceAll('-', '_')}`;
  return topics === 1 ? [name] : Array.from({ length: topics }, (_, i) => `${name}_${String(i).padStart(3, '0')}`);
}
