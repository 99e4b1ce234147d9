import type { Logger } from '../ops/logger.ts';
import type { ServiceStatus } from '../ops/status.ts';
import type { Clock } from '../ports.ts';
import type { Output } from './context.ts';

/** Where a topic stands on its way to the ends seen first. */
export interface TopicProgress {
  readonly topic: string;
  readonly done: number;
  readonly total: number;
  /** Records each second since the first look. */
  readonly rate: number;
  /** Seconds; null while nothing moves. */
  readonly left: number | null;
}

interface Track {
  readonly start: number;
  readonly end: number;
  next: number;
  readonly since: number;
}

/** Follows the offsets of all partitions from the first look at them. Pure: the time is given. */
export class TopicTracker {
  readonly #partitions = new Map<string, Map<number, Track>>();

  update(status: ServiceStatus): TopicProgress[] {
    const slowest = new Map<string, Map<number, { next: number; end: number }>>();
    for (const { topic, partition, next, end } of status.tables.flatMap((table) => table.partitions)) {
      if (next === null || end === null) continue;
      const partitions = slowest.get(topic) ?? new Map<number, { next: number; end: number }>();
      slowest.set(topic, partitions);
      // A partition that feeds several tables is done when the slowest of them is.
      partitions.set(partition, { next: Math.min(next, partitions.get(partition)?.next ?? next), end });
    }
    for (const [topic, partitions] of slowest) {
      const tracks = this.#partitions.get(topic) ?? new Map<number, Track>();
      this.#partitions.set(topic, tracks);
      for (const [partition, { next, end }] of partitions) {
        const track = tracks.get(partition);
        if (track) track.next = Math.min(next, track.end);
        else tracks.set(partition, { start: next, end, next, since: status.now });
      }
    }
    return [...this.#partitions]
      .map(([topic, tracks]) => progressOf(topic, [...tracks.values()], status.now))
      .sort((a, b) => a.topic.localeCompare(b.topic));
  }
}

function progressOf(topic: string, tracks: readonly Track[], now: number): TopicProgress {
  const sum = (of: (track: Track) => number): number => tracks.reduce((total, track) => total + of(track), 0);
  const done = sum((track) => track.next - track.start);
  const total = sum((track) => track.end - track.start);
  const seconds = (now - Math.min(...tracks.map((track) => track.since))) / 1000;
  const rate = seconds > 0 ? done / seconds : 0;
  return { topic, done, total, rate, left: done >= total ? 0 : rate > 0 ? (total - done) / rate : null };
}

/** One line for a topic: bar, percent, records, rate, time left. */
export function progressLine({ topic, done, total, rate, left }: TopicProgress, width: number): string {
  const part = total === 0 ? 1 : done / total;
  const number = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
  const bar = '█'.repeat(Math.round(part * 20)).padEnd(20, '░');
  const text = `${topic.padEnd(24)} ${bar} ${String(Math.floor(part * 100)).padStart(3)} %  ${number.format(done)} of ${number.format(total)}  ${number.format(rate)}/s  ${left === 0 ? 'done' : left === null ? '…' : `${timeText(left)} left`}`;
  return text.length > width ? text.slice(0, width) : text;
}

export function timeText(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Draws progress in place on a terminal; elsewhere it becomes a log line now and then. */
export class Progress {
  readonly #output: Output;
  readonly #clock: Clock;
  readonly #tracker = new TopicTracker();
  #drawn: readonly string[] = [];

  constructor(output: Output, clock: Clock) {
    this.#output = output;
    this.#clock = clock;
  }

  /** Writes a log line above what is drawn. */
  above(line: string): void {
    const { isTerminal, stderr } = this.#output;
    if (isTerminal) stderr(`${this.#clear()}${line}${this.#drawn.map((drawn) => `${drawn}\n`).join('')}`);
    else stderr(line);
  }

  /** Until the signal aborts. */
  async follow(snapshot: () => ServiceStatus, logger: Logger, signal: AbortSignal): Promise<void> {
    const { isTerminal } = this.#output;
    let logged = this.#clock.monotonic();
    while (!signal.aborted) {
      // What is done before the first look is not counted: look soon, whether or not something is written.
      await this.#clock.sleep(500, signal).catch(() => undefined);
      const topics = this.#tracker.update(snapshot());
      if (isTerminal) {
        this.#draw(topics);
        continue;
      }
      if (this.#clock.monotonic() - logged < 10_000) continue;
      logged = this.#clock.monotonic();
      for (const topic of topics)
        logger.info(
          {
            topic: topic.topic,
            done: topic.done,
            total: topic.total,
            recordsPerSecond: Math.round(topic.rate),
            secondsLeft: topic.left === null ? null : Math.ceil(topic.left),
          },
          'progress',
        );
    }
  }

  #draw(topics: readonly TopicProgress[]): void {
    const clear = this.#clear();
    this.#drawn = topics.map((topic) => progressLine(topic, this.#output.columns));
    this.#output.stderr(`${clear}${this.#drawn.map((line) => `${line}\n`).join('')}`);
  }

  /** Escape codes that go up to the first drawn line and clear from there. */
  #clear(): string {
    return this.#drawn.length === 0 ? '' : `\u001b[${this.#drawn.length}A\u001b[J`;
  }
}
