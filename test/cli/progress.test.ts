import { expect, test } from 'vitest';
import { Progress, TopicTracker, progressLine, timeText } from '../../src/cli/progress.ts';
import { withReadiness } from '../../src/ops/health.ts';
import { createLogger } from '../../src/ops/logger.ts';
import type { PartitionStatus, ServiceStatus } from '../../src/ops/status.ts';
import { facts, now, tableStatus } from '../ops/status.ts';

function at(
  seconds: number,
  ...tables: (readonly [partition: number, next: number | null, end: number | null][])[]
): ServiceStatus {
  return withReadiness(
    facts({
      now: now + seconds * 1000,
      tables: tables.map((partitions) =>
        tableStatus({
          partitions: partitions.map(([partition, next, end]): PartitionStatus => ({
            topic: 't',
            partition,
            next,
            end,
            lag: null,
          })),
        }),
      ),
    }),
  );
}

test('counts from the first look to the ends seen then', () => {
  const tracker = new TopicTracker();
  expect(
    tracker.update(
      at(0, [
        [0, 100, 600],
        [1, 0, 500],
      ]),
    ),
  ).toEqual([{ topic: 't', done: 0, total: 1000, rate: 0, left: null }]);
  // The ends move on; what was promised does not.
  expect(
    tracker.update(
      at(2, [
        [0, 300, 900],
        [1, 100, 900],
      ]),
    ),
  ).toEqual([{ topic: 't', done: 300, total: 1000, rate: 150, left: 700 / 150 }]);
  expect(
    tracker.update(
      at(10, [
        [0, 900, 950],
        [1, 700, 900],
      ]),
    ),
  ).toEqual([{ topic: 't', done: 1000, total: 1000, rate: 100, left: 0 }]);
});

test('the slowest table of a topic counts', () => {
  const tracker = new TopicTracker();
  tracker.update(at(0, [[0, 0, 100]], [[0, 0, 100]]));
  expect(tracker.update(at(1, [[0, 80, 100]], [[0, 20, 100]]))[0]).toMatchObject({ done: 20, total: 100 });
});

test('what is not known yet is left out', () => {
  const tracker = new TopicTracker();
  expect(tracker.update(at(0, [[0, null, null]]))).toEqual([]);
});

test('lines', () => {
  expect(progressLine({ topic: 'shop.orders', done: 500_000, total: 2_000_000, rate: 150_000, left: 10 }, 200)).toMatch(
    /^shop\.orders +█{5}░{15} +25 % {2}500,000 of 2,000,000 {2}150,000\/s {2}10 s left$/,
  );
  expect(progressLine({ topic: 'shop.orders', done: 0, total: 0, rate: 0, left: 0 }, 200)).toContain('100 %');
  expect(progressLine({ topic: 'shop.orders', done: 1, total: 2, rate: 1, left: 1 }, 30)).toHaveLength(30);
  expect([59.2, 61, 7265].map(timeText)).toEqual(['1 min 0 s', '1 min 1 s', '2 h 1 min']);
});

test('on a terminal it is drawn in place, and log lines go above it', async () => {
  const written: string[] = [];
  const ended = new AbortController();
  const { promise: drawn, resolve } = Promise.withResolvers<void>();
  const output = {
    stdout: () => undefined,
    stderr: (text: string) => void written.push(text),
    isTerminal: true,
    columns: 200,
  };
  const progress = new Progress(output, { now: () => 0, monotonic: () => 0, sleep: () => Promise.resolve() });
  let looks = 0;
  const following = progress.follow(
    () => {
      if (++looks === 2) {
        ended.abort();
        resolve();
      }
      return at(looks, [[0, looks * 10, 100]]);
    },
    createLogger({ level: 'silent', format: 'json' }, () => undefined),
    ended.signal,
  );
  await drawn;
  await following;
  expect(written[0]).toMatch(/^t .* 0 of 90 .*\n$/);
  // One line up, clear, draw again.
  const clear = '\u001B[1A\u001B[J';
  expect(written[1]).toContain(`${clear}t `);
  expect(written[1]).toContain(' 10 of 90 ');
  progress.above('a log line\n');
  expect(written[2]).toContain(`${clear}a log line\nt `);
});

test('without a terminal the looks begin at once, and a line of the log comes every ten seconds', async () => {
  const written: string[] = [];
  const output = { stdout: () => undefined, stderr: () => undefined, isTerminal: false, columns: 80 };
  let now = 0;
  const ended = new AbortController();
  const clock = {
    now: () => now,
    monotonic: () => now,
    sleep: (ms: number) => {
      if ((now += ms) >= 25_000) ended.abort();
      return Promise.resolve();
    },
  };
  const logger = createLogger({ level: 'info', format: 'json' }, (line) => void written.push(line));
  // Ten offsets a second of 1000, from the start on.
  await new Progress(output, clock).follow(() => at(now / 1000, [[0, now / 100, 1000]]), logger, ended.signal);
  const lines = written.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(
    lines.map(({ done, total, recordsPerSecond, secondsLeft }) => [done, total, recordsPerSecond, secondsLeft]),
  ).toEqual([
    [95, 995, 10, 90],
    [195, 995, 10, 80],
  ]);
});
