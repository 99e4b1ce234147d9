import { TabletopicError } from '../errors.ts';
import type { FromWorker } from '../pipeline/messages.ts';
import type { TableContext } from './table-context.ts';

/** A topic that is paused for a table (`maxDeadLetterRate`), and the record that was one too many. */
export interface PausedTopic {
  readonly topic: string;
  /** Wall clock, ms. */
  readonly since: number;
  readonly code: string;
  readonly reason: string;
  readonly partition: number;
  readonly offset: number;
}

/** Topics of which no worker takes more for the table; their lanes stay, so that their lag is seen. */
export class PausedTopics {
  readonly #context: TableContext;
  readonly #topics = new Map<string, PausedTopic>();

  constructor(context: TableContext) {
    this.#context = context;
  }

  all(): readonly PausedTopic[] {
    return [...this.#topics.values()];
  }

  has(topic: string): boolean {
    return this.#topics.has(topic);
  }

  /** A worker met one bad record too many. */
  pause({ lane: id, generation, offset, code, reason }: Extract<FromWorker, { type: 'too-many-dead-letters' }>): void {
    const known = this.#context.lanes.get(id);
    if (known?.generation !== generation) return;
    const { topic, partition } = known.lane;
    if (!this.has(topic)) {
      const since = this.#context.options.ports.clock.now();
      this.#topics.set(topic, { topic, since, code, reason, partition, offset });
      const error = new TabletopicError('DEAD_LETTER_RATE', `topic ${topic} is paused: ${code}: ${reason}`);
      this.#context.log.error(
        { code: error.code, hint: error.hint, topic, partition, offset },
        `${error.message}, at offset ${offset} of partition ${partition}`,
      );
      this.#context.postAll({ type: 'pause-topic', topic });
    }
    this.pauseLanes();
  }

  /** Fetches nothing for lanes of paused topics, new ones included. */
  pauseLanes(): void {
    const { lanes, options } = this.#context;
    for (const { lane } of lanes.all()) if (this.has(lane.topic)) options.source.pause(lane);
  }

  /** The workers forget it with a reset: it is found out again. */
  clear(): void {
    this.#topics.clear();
  }
}
