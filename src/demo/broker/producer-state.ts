import { BrokerError } from './error-codes.ts';
import type { StoredBatch } from './stored-batch.ts';

interface Appended {
  readonly baseSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: number;
}

interface Producer {
  epoch: number;
  lastSequence: number;
  recent: Appended[];
}

/** Batches remembered for each producer: as many as it may have under way. */
const REMEMBERED = 5;
const SEQUENCES = 2 ** 31;

/**
 * Idempotent producers of one partition (KIP-98).
 *
 * Invariant: the sequence numbers of a producer's batches in the log follow one another within an epoch, so that a
 * batch sent again is recognised and not appended again.
 */
export class ProducerStates {
  readonly #producers = new Map<bigint, Producer>();

  /**
   * The base offset of the batch where it stands in the log already, else undefined.
   * @throws BrokerError INVALID_PRODUCER_EPOCH, OUT_OF_ORDER_SEQUENCE_NUMBER
   */
  check(batch: StoredBatch): number | undefined {
    const producer = this.#producers.get(batch.producerId);
    if (!producer) return undefined;
    if (batch.producerEpoch < producer.epoch) throw new BrokerError('INVALID_PRODUCER_EPOCH');
    if (batch.producerEpoch > producer.epoch) {
      if (batch.baseSequence !== 0) throw new BrokerError('OUT_OF_ORDER_SEQUENCE_NUMBER');
      return undefined;
    }
    const last = lastSequence(batch);
    const known = producer.recent.find((one) => one.baseSequence === batch.baseSequence && one.lastSequence === last);
    if (known) return known.baseOffset;
    if (batch.baseSequence !== (producer.lastSequence + 1) % SEQUENCES)
      throw new BrokerError('OUT_OF_ORDER_SEQUENCE_NUMBER');
    return undefined;
  }

  appended(batch: StoredBatch): void {
    const last = lastSequence(batch);
    const producer = this.#producers.get(batch.producerId);
    const recent = producer?.epoch === batch.producerEpoch ? producer.recent : [];
    recent.push({ baseSequence: batch.baseSequence, lastSequence: last, baseOffset: batch.baseOffset });
    if (recent.length > REMEMBERED) recent.shift();
    this.#producers.set(batch.producerId, { epoch: batch.producerEpoch, lastSequence: last, recent });
  }

  /** A marker carries the epoch from which on the producer may write. */
  marker(producerId: bigint, epoch: number): void {
    const producer = this.#producers.get(producerId);
    if (producer && producer.epoch >= epoch) return;
    this.#producers.set(producerId, { epoch, lastSequence: -1, recent: [] });
  }
}

function lastSequence(batch: StoredBatch): number {
  return (batch.baseSequence + batch.lastOffset - batch.baseOffset) % SEQUENCES;
}
