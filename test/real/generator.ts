import { join } from 'node:path';
import { dirOf } from './parts.ts';
import { run } from './tools.ts';

/** Everything but `json` is in the wire format of the registry, under the subject `<topic>-value`. */
export type Format = 'json' | 'avro' | 'protobuf' | 'json-schema';

/** Which records: record i depends on (seed, i) alone, has id i and goes to partition i % partitions. */
export interface Records {
  /** How many. */
  n: number;
  /** First id; 0 unless said otherwise. */
  start?: number;
  seed?: number;
  format?: Format;
  /** JSON: event_time as ISO text (default) or as epoch milliseconds. */
  ts?: 'iso' | 'millis';
  /** JSON: adds a struct geo {lat, city}. */
  nested?: boolean;
  /** JSON and Avro: fields in all, 10 unless said otherwise; f010, f011, … are long, double, two kinds of string, boolean. */
  fields?: number;
  /** JSON and Avro: adds `body`, a text of so many bytes in the mean. */
  text?: number;
  /** JSON and Avro: adds `items`, a list of structs {sku, price, tags}. */
  items?: boolean;
}

export interface Load extends Records {
  brokers: readonly string[];
  topic: string;
  /** The topic is created with so many when it is not there. */
  partitions?: number;
  /** Base URL of the registry, for formats with a schema. */
  registry?: string;
  compression?: 'none' | 'lz4' | 'zstd' | 'snappy' | 'gzip';
  /** Records per second in all; as fast as possible when absent. */
  rate?: number;
  /** Sets the record key to the user id. */
  keyed?: boolean;
  /** event_time is the clock at production. */
  now?: boolean;
}

export interface LoadResult {
  records: number;
  failed: number;
  value_bytes: number;
  seconds: number;
  rec_per_s: number;
}

/** What the same records add up to, computed without Kafka. */
export interface Sums {
  rows: number;
  min_id: number;
  max_id: number;
  sum_id: number;
  sum_quantity: number;
  sum_amount: number;
  active: number;
  min_event_millis: number;
  max_event_millis: number;
  value_bytes: number;
  /** What records have beside the ten fields. */
  more?: {
    /** By name, the longs among f010, f011, … */
    sum_fields?: Record<string, number>;
    min_body?: string;
    max_body?: string;
    items: number;
    sum_price_cents: number;
    tags: number;
  };
}

function generate(command: 'load' | 'sums' | 'cat', options: Readonly<Record<string, unknown>>): Promise<string> {
  const flags = Object.entries(options).filter(([, v]) => v !== undefined);
  return run(join(dirOf('generator'), 'gen'), [command, ...flags.map(([k, v]) => `-${k}=${String(v)}`)]);
}

export async function load(options: Load): Promise<LoadResult> {
  const { brokers, ...rest } = options;
  return JSON.parse(await generate('load', { brokers: brokers.join(','), ...rest })) as LoadResult;
}

export async function sums(records: Records): Promise<Sums> {
  return JSON.parse(await generate('sums', { ...records })) as Sums;
}

/** The values themselves, JSON only. */
export async function values(records: Omit<Records, 'format'>): Promise<Record<string, unknown>[]> {
  const out = await generate('cat', { ...records, format: 'json' });
  return out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
