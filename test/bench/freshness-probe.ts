import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import type { Producer } from 'kafkajs';
import { values } from '../real/generator.ts';
import type { Environment } from '../real/stack.ts';

/** Seconds from produce to readable, over the records of a phase. */
export interface Freshness {
  readonly seconds: number;
  readonly records: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Records of one request: they became offsets [base, base + count) of a partition, and were sent at `at` (monotonic ms). */
interface Sent {
  readonly partition: number;
  readonly base: number;
  readonly count: number;
  readonly at: number;
}

interface Metadata {
  readonly snapshots?: readonly { readonly summary: Readonly<Record<string, string>> }[];
}

const SENDS_PER_SECOND = 20;
const LOOK_MS = 20;
/** What is still not readable then is not waited for. */
const PATIENCE_MS = 120_000;

/**
 * Produces at a steady rate, and looks at the table in the catalog, by plain HTTP, for when it holds what was produced:
 * the offsets in a snapshot's summary are committed with its rows.
 */
export class FreshnessProbe {
  readonly #topic: string;
  readonly #tableUrl: string;
  readonly #producer: Producer;
  readonly #rate: number;
  readonly #samples: readonly string[];
  readonly #closing = new AbortController();
  readonly #sent: Sent[] = [];
  /** By partition: offset before which all is readable, and since when. */
  readonly #readable: { readonly at: number; readonly next: readonly number[] }[] = [];
  #running: Promise<unknown> = Promise.resolve();

  private constructor(
    producer: Producer,
    table: { topic: string; url: string },
    rate: number,
    samples: readonly string[],
  ) {
    this.#producer = producer;
    this.#topic = table.topic;
    this.#tableUrl = table.url;
    this.#rate = rate;
    this.#samples = samples;
  }

  static async open(stack: Environment, topic: string, table: string, rate: number): Promise<FreshnessProbe> {
    const producer = new Kafka({ brokers: stack.kafka.brokers, logLevel: logLevel.NOTHING }).producer();
    await producer.connect();
    const [namespace, name] = table.split('.');
    const { prefix = '' } = await configOf(stack.catalog.uri);
    const url = [stack.catalog.uri, 'v1', prefix, 'namespaces', namespace, 'tables', name].filter(Boolean).join('/');
    const samples = (await values({ n: 1000 })).map((value) => JSON.stringify(value));
    const probe = new FreshnessProbe(producer, { topic, url: `${url}?snapshots=refs` }, rate, samples);
    probe.#running = Promise.all([probe.#produce(), probe.#look()]);
    return probe;
  }

  /** What the phase begins with. */
  begin(): number {
    return performance.now();
  }

  /** Waits until everything that was produced since `begin` is readable. */
  async end(begun: number): Promise<Freshness> {
    const until = performance.now();
    const counted = this.#sent.filter(({ at }) => at >= begun && at < until);
    const late = until + PATIENCE_MS;
    const seen = (sent: Sent): number | undefined =>
      this.#readable.find(({ next }) => (next[sent.partition] ?? 0) >= sent.base + sent.count)?.at;
    while (performance.now() < late && counted.some((sent) => seen(sent) === undefined)) await this.sleep(LOOK_MS);
    const took = counted
      .flatMap((sent) => new Array<number>(sent.count).fill((seen(sent) ?? Number.POSITIVE_INFINITY) - sent.at))
      .sort((a, b) => a - b);
    const at = (part: number): number =>
      Math.round(took[Math.min(took.length - 1, Math.floor(took.length * part))] ?? Number.NaN) / 1000;
    return {
      seconds: Math.round((until - begun) / 100) / 10,
      records: took.length,
      p50: at(0.5),
      p99: at(0.99),
      max: at(1),
    };
  }

  sleep(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: this.#closing.signal });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
    await this.#producer.disconnect();
  }

  async #produce(): Promise<void> {
    const count = Math.max(1, Math.round(this.#rate / SENDS_PER_SECOND));
    for (let n = 0, due = performance.now(); !this.#closing.signal.aborted; n++) {
      // What waits for its turn because an answer was slow counts from when it was due.
      const messages = Array.from({ length: count }, (_, i) => ({
        value: this.#samples[(n * count + i) % this.#samples.length]!,
        partition: n % 4,
      }));
      const [answer] = await this.#producer.send({ topic: this.#topic, messages });
      this.#sent.push({ partition: n % 4, base: Number(answer!.baseOffset), count, at: due });
      due += 1000 / SENDS_PER_SECOND;
      await this.sleep(Math.max(0, due - performance.now())).catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    let last = '';
    while (!this.#closing.signal.aborted) {
      const answer = await fetch(this.#tableUrl).catch(() => null);
      const at = performance.now();
      if (answer?.ok) {
        const { metadata } = (await answer.json()) as { metadata: Metadata };
        const offsets = metadata.snapshots?.at(-1)?.summary['tabletopic.offsets'];
        if (offsets !== undefined && offsets !== last) {
          last = offsets;
          const { topics } = JSON.parse(offsets) as { topics: Record<string, { next: number[] }> };
          this.#readable.push({ at, next: topics[this.#topic]!.next });
        }
      }
      await this.sleep(LOOK_MS).catch(() => undefined);
    }
  }
}

async function configOf(uri: string): Promise<{ prefix?: string }> {
  const { defaults = {}, overrides = {} } = (await (await fetch(`${uri}/v1/config`)).json()) as Record<
    string,
    Record<string, string>
  >;
  return { ...defaults, ...overrides };
}
