import { parentPort, workerData } from 'node:worker_threads';
import type { ToWorker } from './messages.ts';
import { WorkerCore } from './worker-core.ts';

const port = parentPort!;
const { heldBytes } = workerData as { heldBytes: number };
const core = new WorkerCore(heldBytes, (message, transfer) => port.postMessage(message, transfer));
port.on('message', (message: ToWorker) => core.handle(message));
