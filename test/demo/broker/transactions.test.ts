import { beforeEach, expect, test } from 'vitest';
import { encodeBatch } from '../../../src/source/batch-encoder.ts';
import { BrokerError, KafkaError } from '../../../src/demo/broker/error-codes.ts';
import { Groups } from '../../../src/demo/broker/groups.ts';
import { PartitionLog } from '../../../src/demo/broker/partition-log.ts';
import { Transactions } from '../../../src/demo/broker/transactions.ts';
import { manualPorts } from './manual-clock.ts';

let ports: ReturnType<typeof manualPorts>;
let groups: Groups;
let transactions: Transactions;
let log: PartitionLog;

beforeEach(() => {
  ports = manualPorts();
  groups = new Groups(ports);
  transactions = new Transactions(ports, groups);
  log = new PartitionLog();
});

const batch = (producerId: bigint, producerEpoch: number, baseSequence = 0): Buffer =>
  encodeBatch({
    baseOffset: 0,
    producerId,
    producerEpoch,
    baseSequence,
    transactional: true,
    records: [{ offset: 0, timestamp: 0, key: null, value: Buffer.from('x') }],
  });
const codeOf = (body: () => unknown): number => {
  try {
    body();
  } catch (error) {
    if (error instanceof BrokerError) return error.code;
    throw error;
  }
  return 0;
};

test('a transaction that is not ended in time is aborted, and its producer is fenced', async () => {
  const { producerId, producerEpoch } = transactions.initProducerId('t', 5000);
  transactions.addPartition('t', producerId, producerEpoch, log);
  log.appendProduced(batch(producerId, producerEpoch));
  await ports.advance(4999);
  expect([log.end, log.lastStableOffset]).toEqual([1, 0]);
  await ports.advance(2);
  expect([log.end, log.lastStableOffset]).toEqual([2, 2]);
  expect(log.read(0, 1000, 'read_committed').aborted).toEqual([{ producerId, firstOffset: 0 }]);
  expect(codeOf(() => transactions.end('t', producerId, producerEpoch, true))).toBe(KafkaError.INVALID_PRODUCER_EPOCH);
  expect(codeOf(() => log.appendProduced(batch(producerId, producerEpoch, 1)))).toBe(KafkaError.INVALID_PRODUCER_EPOCH);
});

test('a producer that starts again aborts what its former self left open', () => {
  const first = transactions.initProducerId('t', 5000);
  transactions.addPartition('t', first.producerId, first.producerEpoch, log);
  log.appendProduced(batch(first.producerId, first.producerEpoch));
  const second = transactions.initProducerId('t', 5000);
  expect([second.producerId, second.producerEpoch]).toEqual([first.producerId, first.producerEpoch + 1]);
  expect([log.end, log.lastStableOffset]).toEqual([2, 2]);
  expect(log.appendProduced(batch(second.producerId, second.producerEpoch))).toBe(2);
});

test('offsets come with the commit, not before, and not with an abort', () => {
  const { producerId, producerEpoch } = transactions.initProducerId('t', 5000);
  for (const [offset, committed] of [
    [7, true],
    [9, false],
  ] as const) {
    transactions.addGroup('t', producerId, producerEpoch, 'g');
    transactions.commitOffset('t', producerId, producerEpoch, 'g', 'topic/0', {
      offset,
      leaderEpoch: 0,
      metadata: null,
    });
    expect(groups.offsets('g').get('topic/0')?.offset).toBe(committed ? undefined : 7);
    transactions.end('t', producerId, producerEpoch, committed);
    expect(groups.offsets('g').get('topic/0')?.offset).toBe(7);
  }
});

test('a partition that was not added is refused, as is the end of nothing', () => {
  const { producerId, producerEpoch } = transactions.initProducerId('t', 5000);
  expect(codeOf(() => transactions.checkProduce('t', log))).toBe(KafkaError.INVALID_TXN_STATE);
  expect(codeOf(() => transactions.end('t', producerId, producerEpoch, true))).toBe(KafkaError.INVALID_TXN_STATE);
  expect(codeOf(() => transactions.addPartition('other', producerId, producerEpoch, log))).toBe(
    KafkaError.INVALID_PRODUCER_ID_MAPPING,
  );
});
