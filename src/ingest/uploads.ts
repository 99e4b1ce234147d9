import type { PreparedFile } from '../commit/commit.ts';
import type { PartitionValue } from '../columns/partition-value.ts';
import type { FileIO, OutputFile } from '../io/file-io.ts';
import { free } from '../free.ts';
import type { FromWorker } from '../pipeline/messages.ts';

type FileMessage = Extract<FromWorker, { type: 'file' | 'part' | 'file-end' | 'file-abort' }>;

interface Upload {
  readonly output: OutputFile;
  readonly partition: ReadonlyMap<number, PartitionValue>;
  /** Writes in order; rejects when the store failed for good. */
  chain: Promise<unknown>;
}

export interface UploadHooks {
  /** Encoded bytes that the store has taken (or that were given up). */
  taken(worker: number, bytes: number): void;
  /** The store failed: the open checkpoint cannot be completed. */
  failed(error: unknown): void;
}

/**
 * Streams the files that workers encode to the store. One per table.
 *
 * Invariant: a file is handed out by `take` exactly once, whole and durable, or it is deleted (it was never published).
 */
export class Uploads {
  readonly #io: FileIO;
  readonly #locate: (partition: ReadonlyMap<number, PartitionValue>) => string;
  readonly #hooks: UploadHooks;
  /** By worker, then by the worker's file number. */
  readonly #open = new Map<string, Upload>();
  readonly #ended = new Map<number, Promise<PreparedFile>[]>();

  constructor(io: FileIO, locate: (partition: ReadonlyMap<number, PartitionValue>) => string, hooks: UploadHooks) {
    this.#io = io;
    this.#locate = locate;
    this.#hooks = hooks;
  }

  handle(worker: number, message: FileMessage): void {
    const key = `${worker}/${message.file}`;
    if (message.type === 'file') {
      this.#open.set(key, {
        output: this.#io.create(this.#locate(message.partition)),
        partition: message.partition,
        chain: Promise.resolve(),
      });
      return;
    }
    const upload = this.#open.get(key);
    if (!upload) {
      if (message.type === 'part') this.#hooks.taken(worker, message.bytes.byteLength);
      return;
    }
    if (message.type === 'part') {
      const { bytes } = message;
      const { byteLength } = bytes;
      upload.chain = upload.chain
        .then(() => upload.output.write(bytes))
        .then(() => free(bytes.buffer))
        .finally(() => this.#hooks.taken(worker, byteLength));
      upload.chain.catch((error: unknown) => this.#hooks.failed(error));
      return;
    }
    this.#open.delete(key);
    if (message.type === 'file-abort') {
      void upload.chain.catch(() => undefined).then(() => upload.output.abort());
      return;
    }
    const file = upload.chain.then(async () => {
      await upload.output.close();
      return { location: upload.output.location, metrics: message.metrics, partition: upload.partition };
    });
    file.catch((error: unknown) => {
      this.#hooks.failed(error);
      return upload.output.abort();
    });
    this.#ended.set(worker, [...(this.#ended.get(worker) ?? []), file]);
  }

  /** The files that the worker has ended since the last call. */
  take(worker: number): readonly Promise<PreparedFile>[] {
    const files = this.#ended.get(worker) ?? [];
    this.#ended.delete(worker);
    return files;
  }

  /** Deletes files that no checkpoint will hold. Failures leave them to orphan removal. */
  async discard(files: readonly Promise<PreparedFile>[]): Promise<void> {
    const settled = await Promise.allSettled(files);
    const locations = settled.flatMap((file) => (file.status === 'fulfilled' ? [file.value.location] : []));
    if (locations.length > 0) await this.#io.delete(locations).catch(() => undefined);
  }

  /** Gives up every open file. */
  async close(): Promise<void> {
    const open = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(open.map((upload) => upload.chain.catch(() => undefined).then(() => upload.output.abort())));
    await this.discard([...this.#ended.keys()].flatMap((worker) => this.take(worker)));
  }
}
