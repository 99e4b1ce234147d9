import { setTimeout as sleep } from 'node:timers/promises';
import { committedOffsets } from './table.ts';
import type { Format } from '../real/generator.ts';
import type { Environment } from '../real/stack.ts';

export interface Flow {
  readonly topic: string;
  readonly table: string;
  readonly format: Format;
  readonly records: number;
  /** Records a second; 0: as fast as they are read. */
  readonly rate: number;
  /** So many at a time, and at most twice as many that are not read yet. */
  readonly slice: number;
}

export const PARTITIONS = 4;
const TRIM_EVERY_MS = 5000;

/** A topic that more records go through than the disk would hold: what the table has is removed from it. */
export class FlowingTopic {
  readonly #servers: Environment;
  readonly #flow: Flow;
  readonly #ended = new AbortController();

  constructor(servers: Environment, flow: Flow) {
    this.#servers = servers;
    this.#flow = flow;
  }

  /** Small segments, so that what is removed is soon gone from the disk. */
  async create(): Promise<void> {
    const config = { 'segment.bytes': String(64 << 20), 'file.delete.delay.ms': '1000' };
    await this.#servers.topic.create(this.#flow.topic, PARTITIONS, config);
  }

  /** Loads all records; `read`: how many the service has read so far, which may not be in the table yet. */
  async run(read: () => Promise<number>): Promise<void> {
    // Together: a failure of one must not wait for the other, nor be nobody's.
    await Promise.all([this.#load(read).finally(() => this.#ended.abort()), this.#trim()]);
  }

  async #load(read: () => Promise<number>): Promise<void> {
    const { topic, format, records, rate, slice } = this.#flow;
    const load = (start: number, n: number): Promise<unknown> =>
      this.#servers.load({ topic, format, partitions: PARTITIONS, start, n, ...(rate > 0 && { rate }) });
    if (rate > 0) await load(0, records);
    else
      for (let start = 0; start < records; start += slice) {
        await load(start, Math.min(slice, records - start));
        while ((await read()) < start) await sleep(100);
      }
  }

  async #trim(): Promise<void> {
    const { topic, table } = this.#flow;
    while (!this.#ended.signal.aborted) {
      await sleep(TRIM_EVERY_MS, undefined, { signal: this.#ended.signal }).catch(() => undefined);
      const next = await committedOffsets(this.#servers.catalog, table, topic);
      if (next !== null)
        await this.#servers.topic.deleteRecords(
          topic,
          next.map((offset, partition) => ({ partition, offset: String(offset) })),
        );
    }
  }
}
