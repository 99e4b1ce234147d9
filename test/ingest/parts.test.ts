import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, describe, expect, test } from 'vitest';
import { TabletopicError } from '../../src/errors.ts';
import { joinCuts } from '../../src/ingest/cuts.ts';
import type { CutContent } from '../../src/ingest/cuts.ts';
import { LaneTable } from '../../src/ingest/lane-table.ts';
import { Serial } from '../../src/commit/serial.ts';
import { checkPosition, firstOffsets } from '../../src/ingest/positions.ts';
import { withRetry } from '../../src/ingest/retry.ts';
import { Wake } from '../../src/ingest/wake.ts';
import type { OffsetRange } from '../../src/pipeline/ranges.ts';
import { claimInstanceId } from '../../src/source/instance-id.ts';
import type { Source } from '../../src/source/source.ts';
import { manualPorts } from '../demo/broker/manual-clock.ts';

const silent = pino({ level: 'silent' });

describe('Serial', () => {
  test('keeps the order, and goes on after a failure', async () => {
    const mutex = new Serial();
    const done: number[] = [];
    const failed = mutex.run(async () => {
      await Promise.resolve();
      throw new Error('no');
    });
    const later = mutex.run(async () => {
      await Promise.resolve();
      done.push(2);
    });
    await expect(failed).rejects.toThrow('no');
    await later;
    expect(done).toEqual([2]);
  });
});

describe('Wake', () => {
  test('a call before the wait ends the next one; time and abort end it too', async () => {
    const ports = manualPorts();
    const wake = new Wake();
    const { signal } = new AbortController();
    wake.now();
    await wake.wait(ports.clock, 1000, signal);
    let ended = false;
    const waiting = wake.wait(ports.clock, 1000, signal).then(() => (ended = true));
    await ports.advance(999);
    expect(ended).toBe(false);
    await ports.advance(1);
    await waiting;
    const aborted = new AbortController();
    const last = wake.wait(ports.clock, 1e9, aborted.signal);
    aborted.abort();
    await last;
  });
});

describe('withRetry', () => {
  const down = new TabletopicError('CATALOG_UNAVAILABLE', 'down');

  test('tries again while the policy says so, tells what it waits for, and that it goes on', async () => {
    const ports = manualPorts();
    const told: (string | null)[] = [];
    let calls = 0;
    const result = withRetry(
      {
        ports,
        logger: silent,
        signal: new AbortController().signal,
        what: 'x',
        onState: (error) => told.push(error?.code ?? null),
      },
      () => (++calls < 3 ? Promise.reject(down) : Promise.resolve('done')),
    );
    await ports.advance(60_000);
    expect(await result).toBe('done');
    expect(told).toEqual(['CATALOG_UNAVAILABLE', 'CATALOG_UNAVAILABLE', null]);
  });

  test('any other error rejects at once; an abort ends the wait with its reason', async () => {
    const ports = manualPorts();
    const auth = new TabletopicError('CATALOG_AUTH', 'who are you');
    const options = { ports, logger: silent, signal: new AbortController().signal, what: 'x' };
    await expect(withRetry(options, () => Promise.reject(auth))).rejects.toBe(auth);
    const abort = new AbortController();
    const waiting = withRetry({ ...options, signal: abort.signal }, () => Promise.reject(down));
    const aborting = ports.advance(10).then(() => abort.abort(new Error('closing')));
    await expect(waiting).rejects.toThrow('closing');
    await aborting;
  });
});

describe('joinCuts', () => {
  const range = (partition: number, start: number, end: number): OffsetRange => ({
    topic: 't',
    partition,
    start,
    end,
    epoch: 0,
    accounted: { rows: 0, deadLetters: 0, aborted: 0, control: end - start, absent: 0 },
  });
  const content = (...ranges: OffsetRange[]): CutContent => ({
    ranges,
    files: [],
    deadLetters: [],
    schemaId: null,
    specIds: new Set(),
    topics: {},
  });

  test('ranges of one partition become one, those of others stand beside it', () => {
    const joined = joinCuts(content(range(0, 0, 5)), content(range(0, 5, 7), range(1, 3, 4)));
    expect(joined.ranges).toMatchObject([
      { partition: 0, start: 0, end: 7, accounted: { control: 7 } },
      { partition: 1, start: 3, end: 4, accounted: { control: 1 } },
    ]);
  });
});

describe('LaneTable', () => {
  test('the watermark is the oldest lane’s newest record, a lane at its end counting with the time it was asked', () => {
    const lanes = new LaneTable(0, 2);
    const a = lanes.add({ topic: 't', partition: 0 }, 'id', 0);
    const b = lanes.add({ topic: 't', partition: 1 }, 'id', 0);
    a.observe(10, 10, 5000);
    a.advance(4, 1000, 0);
    b.observe(3, 3, 4000);
    b.advance(3, 900, 0);
    expect(lanes.watermark(2)).toBe(1000);
    a.advance(10, 1200, 0);
    expect(lanes.watermark(2)).toBe(4000);
    expect(lanes.watermark(3), 'another instance owns a partition').toBeNull();
  });
});

/** A source of which only offsets are asked. */
function offsetsOf(earliest: number, latest: number, epochEnd = -1): Source {
  return {
    listOffsets: (queries: readonly { at: unknown }[]) =>
      Promise.resolve(queries.map(({ at }) => (at === 'earliest' ? earliest : at === 'latest' ? latest : 77))),
    endOffsetForEpoch: () => Promise.resolve(epochEnd),
  } as unknown as Source;
}

describe('positions', () => {
  const partition = { topic: 't', partition: 0 };

  test.each([
    ['earliest' as const, 5],
    ['latest' as const, 9],
    [{ timestamp: 1000 }, 77],
    [{ offsets: { '0': 6 } }, 6],
  ])('a table that never held offsets begins where startFrom says: %o', async (startFrom, expected) => {
    const topics = [{ name: 't', id: 'id', partitions: [{ partition: 0, leaderEpoch: 0 }] }];
    expect(await firstOffsets(offsetsOf(5, 9), topics, 'c', startFrom)).toEqual({
      t: { id: 'id', cluster: 'c', first: [expected], next: [expected], epoch: [-1], gaps: [] },
    });
  });

  test('the log must still hold what comes next', async () => {
    expect(await checkPosition(offsetsOf(5, 9), partition, 5, -1, 'stop')).toBe(5);
    await expect(checkPosition(offsetsOf(5, 9), partition, 4, -1, 'stop')).rejects.toMatchObject({
      code: 'KAFKA_OFFSETS_DELETED',
    });
    expect(await checkPosition(offsetsOf(5, 9), partition, 4, -1, 'skip')).toBe(5);
    await expect(checkPosition(offsetsOf(5, 9), partition, 10, -1, 'skip')).rejects.toMatchObject({
      code: 'KAFKA_LOG_TRUNCATED',
    });
    await expect(checkPosition(offsetsOf(5, 9, 7), partition, 8, 3, 'stop'), 'KIP-320').rejects.toMatchObject({
      code: 'KAFKA_LOG_TRUNCATED',
    });
    expect(await checkPosition(offsetsOf(5, 9, 8), partition, 8, 3, 'stop')).toBe(8);
  });
});

describe('claimInstanceId', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tabletopic-claims-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  test('two living processes never share a name; that of a dead one is taken over', () => {
    const first = claimInstanceId('g', folder);
    const [file] = readdirSync(folder);
    // Somebody else who lives: process 1 does.
    writeFileSync(join(folder, file!), '1');
    const second = claimInstanceId('g', folder);
    expect(second.id).not.toBe(first.id);
    // A number beyond what Linux gives out: a process that is dead.
    writeFileSync(join(folder, file!), String(2 ** 22 + 1));
    expect(claimInstanceId('g', folder).id).toBe(first.id);
    expect(claimInstanceId('another', folder).id).not.toBe(first.id);
  });
});
