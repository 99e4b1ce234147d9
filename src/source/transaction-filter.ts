/** An aborted transaction as a fetch response lists it (Fetch v4 and later). */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

/**
 * Which transactional batches of one partition are aborted (read_committed, KIP-98).
 *
 * Invariant: a producer is in `#active` from the first batch of an aborted transaction until its abort marker. A fetch
 * response lists every aborted transaction that overlaps its range, so each list stands for itself: nothing active is
 * carried from one to the next (in between, compaction may have removed the marker that would have ended it). What is
 * carried is which listed transactions are over already, for a range that is walked in pieces.
 */
export class TransactionFilter {
  #pending: AbortedTransaction[] = [];
  #next = 0;
  #active = new Set<bigint>();
  /** Offset of the last abort marker met, by producer. */
  #ended = new Map<bigint, number>();

  /** A new range that counts from `fromOffset`; markers at or after it will be met (again). */
  open(aborted: readonly AbortedTransaction[], fromOffset: number): void {
    this.#active.clear();
    this.#next = 0;
    const ended = new Map<bigint, number>();
    this.#pending = [];
    for (const transaction of aborted) {
      const marker = this.#ended.get(transaction.producerId);
      if (marker !== undefined && marker < fromOffset) {
        ended.set(transaction.producerId, marker);
        if (transaction.firstOffset <= marker) continue;
      }
      this.#pending.push(transaction);
    }
    this.#pending.sort((a, b) => a.firstOffset - b.firstOffset);
    this.#ended = ended;
  }

  reset(): void {
    this.#active.clear();
    this.#ended.clear();
    this.#pending = [];
    this.#next = 0;
  }

  /** Every batch of a producer passes here, in offset order, before it is asked about. */
  reach(lastOffset: number): void {
    while (this.#next < this.#pending.length && this.#pending[this.#next]!.firstOffset <= lastOffset) {
      this.#active.add(this.#pending[this.#next++]!.producerId);
    }
  }

  isAborted(producerId: bigint): boolean {
    return this.#active.has(producerId);
  }

  abortMarker(producerId: bigint, offset: number): void {
    this.#active.delete(producerId);
    this.#ended.set(producerId, offset);
  }
}
