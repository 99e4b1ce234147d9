import type { Ports } from '../../ports.ts';
import { BrokerError } from './error-codes.ts';
import type { CommittedOffset, Groups } from './groups.ts';
import type { PartitionLog } from './partition-log.ts';
import { after } from './timer.ts';

interface Transactional {
  readonly producerId: bigint;
  epoch: number;
  timeoutMs: number;
  open: boolean;
  readonly partitions: Set<PartitionLog>;
  /** Offsets to commit with the transaction, by group. */
  readonly offsets: Map<string, Map<string, CommittedOffset>>;
  cancelTimeout?: () => void;
}

/**
 * Transaction coordinator (KIP-98).
 *
 * Invariant: a transaction ends in one step: a marker in each of its partitions, then its group offsets. An older epoch
 * of a transactional id can do nothing any more.
 */
export class Transactions {
  readonly #ports: Ports;
  readonly #groups: Groups;
  readonly #byId = new Map<string, Transactional>();
  #nextProducerId = 1000n;

  constructor(ports: Ports, groups: Groups) {
    this.#ports = ports;
    this.#groups = groups;
  }

  /** A producer id; for a transactional id the same with the next epoch, and what was under way is aborted. */
  initProducerId(transactionalId: string | null, timeoutMs: number): { producerId: bigint; producerEpoch: number } {
    if (transactionalId === null) return { producerId: this.#nextProducerId++, producerEpoch: 0 };
    const known = this.#byId.get(transactionalId);
    if (known) {
      known.epoch++;
      this.#finish(known, false);
      known.timeoutMs = timeoutMs;
      return { producerId: known.producerId, producerEpoch: known.epoch };
    }
    const producerId = this.#nextProducerId++;
    this.#byId.set(transactionalId, {
      producerId,
      epoch: 0,
      timeoutMs,
      open: false,
      partitions: new Set(),
      offsets: new Map(),
    });
    return { producerId, producerEpoch: 0 };
  }

  addPartition(transactionalId: string, producerId: bigint, epoch: number, log: PartitionLog): void {
    const transaction = this.#current(transactionalId, producerId, epoch);
    this.#begin(transaction);
    transaction.partitions.add(log);
  }

  addGroup(transactionalId: string, producerId: bigint, epoch: number, groupId: string): void {
    const transaction = this.#current(transactionalId, producerId, epoch);
    this.#begin(transaction);
    if (!transaction.offsets.has(groupId)) transaction.offsets.set(groupId, new Map());
  }

  commitOffset(
    transactionalId: string,
    producerId: bigint,
    epoch: number,
    groupId: string,
    key: string,
    offset: CommittedOffset,
  ): void {
    const pending = this.#current(transactionalId, producerId, epoch).offsets.get(groupId);
    if (!pending) throw new BrokerError('INVALID_TXN_STATE');
    pending.set(key, offset);
  }

  end(transactionalId: string, producerId: bigint, epoch: number, committed: boolean): void {
    const transaction = this.#current(transactionalId, producerId, epoch);
    if (!transaction.open) throw new BrokerError('INVALID_TXN_STATE');
    this.#finish(transaction, committed);
  }

  /** A transactional batch may be written only into a partition that was added before. @throws BrokerError */
  checkProduce(transactionalId: string | null, log: PartitionLog): void {
    const transaction = transactionalId === null ? undefined : this.#byId.get(transactionalId);
    if (!transaction?.partitions.has(log)) throw new BrokerError('INVALID_TXN_STATE');
  }

  close(): void {
    for (const transaction of this.#byId.values()) transaction.cancelTimeout?.();
  }

  #current(transactionalId: string, producerId: bigint, epoch: number): Transactional {
    const transaction = this.#byId.get(transactionalId);
    if (!transaction || transaction.producerId !== producerId) throw new BrokerError('INVALID_PRODUCER_ID_MAPPING');
    if (transaction.epoch !== epoch) throw new BrokerError('INVALID_PRODUCER_EPOCH');
    return transaction;
  }

  #begin(transaction: Transactional): void {
    if (transaction.open) return;
    transaction.open = true;
    transaction.cancelTimeout = after(this.#ports.clock, transaction.timeoutMs, () => {
      transaction.epoch++;
      this.#finish(transaction, false);
    });
  }

  #finish(transaction: Transactional, committed: boolean): void {
    transaction.cancelTimeout?.();
    for (const log of transaction.partitions)
      log.appendMarker(transaction.producerId, transaction.epoch, committed, this.#ports.clock.now());
    if (committed) {
      for (const [groupId, offsets] of transaction.offsets) {
        for (const [key, offset] of offsets) this.#groups.offsets(groupId).set(key, offset);
      }
    }
    transaction.partitions.clear();
    transaction.offsets.clear();
    transaction.open = false;
  }
}
