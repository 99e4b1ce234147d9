import { Worker } from 'node:worker_threads';
import { TabletopicError } from '../errors.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { WorkerCore } from './worker-core.ts';
import type { Defer } from './worker-core.ts';

export interface PoolOptions {
  /** Worker threads; 0: the pipeline runs on the main thread. */
  readonly workers: number;
  /** Bytes of columns and encoded pages that one worker may hold over all its tables. */
  readonly heldBytes: number;
  readonly onMessage: (worker: number, message: FromWorker) => void;
  /** A worker died: what it held is lost to the process, not to the tables. */
  readonly onFailure: (error: TabletopicError) => void;
  /** Runs the steps and messages of a pipeline without threads; left out: `setImmediate`. */
  readonly defer?: Defer;
}

/** The workers that decode and encode, as one. */
export interface WorkerPool {
  readonly size: number;
  post(worker: number, message: ToWorker, transfer?: readonly ArrayBuffer[]): void;
  close(): Promise<void>;
}

export function createPool(options: PoolOptions): WorkerPool {
  return options.workers === 0 ? inlinePool(options) : threadPool(options);
}

/** Of the bundle, or of the sources (src/cli/build.ts). */
const worker = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.mjs', import.meta.url);

function threadPool({ workers, heldBytes, onMessage, onFailure }: PoolOptions): WorkerPool {
  let closing = false;
  const threads = Array.from({ length: workers }, (_, index) => {
    const thread = new Worker(worker, { workerData: { heldBytes } });
    thread.on('message', (message: FromWorker) => onMessage(index, message));
    thread.on('error', (error) =>
      onFailure(
        new TabletopicError(
          'INTERNAL',
          `worker ${index} failed: ${error instanceof Error ? error.message : String(error)}`,
          { cause: error },
        ),
      ),
    );
    thread.on('exit', (code) => {
      if (!closing) onFailure(new TabletopicError('INTERNAL', `worker ${index} ended with code ${code}`));
    });
    return thread;
  });
  return {
    size: workers,
    post: (worker, message, transfer = []) => threads[worker]!.postMessage(message, transfer),
    async close() {
      closing = true;
      await Promise.all(threads.map((thread) => thread.terminate()));
    },
  };
}

function inlinePool({ heldBytes, onMessage, defer = (task) => void setImmediate(task) }: PoolOptions): WorkerPool {
  const core = new WorkerCore(heldBytes, (message) => defer(() => onMessage(0, message)), defer);
  return {
    size: 1,
    post: (_worker, message) => defer(() => core.handle(message)),
    close: () => {
      core.close();
      return Promise.resolve();
    },
  };
}
