import type { FromWorker, ToWorker } from './messages.ts';
import { TableWorker } from './table-worker.ts';

export type Post = (message: FromWorker, transfer: ArrayBuffer[]) => void;
export type Defer = (task: () => void) => void;

/** Encoded bytes that may wait for the store before the worker stops encoding. */
const UNSENT_LIMIT = 32 << 20;

/**
 * One worker: takes messages and reads lanes in turn, one fetched buffer at a time, so that messages (a cut, an answer)
 * are never kept waiting for long and no table starves another.
 */
export class WorkerCore {
  readonly #post: Post;
  readonly #tables = new Map<number, TableWorker>();
  readonly #heldBytes: number;
  #unsent = 0;
  readonly #defer: Defer;
  #scheduled = false;
  #closed = false;
  #turn = 0;

  /** @param defer runs a task after what is under way; a simulation brings its own. */
  constructor(heldBytes: number, post: Post, defer: Defer = (task) => void setImmediate(task)) {
    this.#heldBytes = heldBytes;
    this.#defer = defer;
    this.#post = (message, transfer) => {
      if (message.type === 'part') this.#unsent += message.bytes.byteLength;
      post(message, transfer);
    };
  }

  handle(message: ToWorker): void {
    if (message.type === 'uploaded') this.#unsent -= message.bytes;
    else if (message.type === 'table') {
      this.#tables.set(message.table, new TableWorker(message, this.#post));
      this.#shareBudget();
    } else if (message.type === 'close-table') {
      this.#tables.get(message.table)?.close();
      this.#tables.delete(message.table);
      this.#shareBudget();
    } else {
      const table = this.#tables.get(message.table);
      if (table) table.handle(message);
      else if (message.type === 'records') this.#post({ type: 'released', bytes: message.byteLength }, []);
    }
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
    this.#tables.clear();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#defer(() => {
      this.#scheduled = false;
      if (!this.#closed && this.#step()) this.#schedule();
    });
  }

  /** Reads one buffer of one lane of the next table that has any; false when there is nothing to do. */
  #step(): boolean {
    if (this.#unsent >= UNSENT_LIMIT) return false;
    const tables = [...this.#tables.values()];
    for (let i = 0; i < tables.length; i++) {
      const table = tables[(this.#turn + i) % tables.length]!;
      if (table.step()) {
        this.#turn = (this.#turn + i + 1) % tables.length;
        return true;
      }
    }
    return false;
  }

  #shareBudget(): void {
    const share = Math.floor(this.#heldBytes / Math.max(1, this.#tables.size));
    for (const table of this.#tables.values()) table.budget = share;
  }
}
