import type { FormatOptions } from '../../src/config/config.ts';
import type { ToWorker, WorkerTableOptions } from '../../src/pipeline/messages.ts';
import { encodeBatch } from '../../src/source/batch-encoder.ts';
import type { RecordToEncode } from '../../src/source/batch-encoder.ts';

// One worker without a thread: what it is told.

/** A format with its defaults. */
export function formatOf(name: FormatOptions['format']): FormatOptions {
  return { format: name, schema: 'id', subject: null, subjectNameStrategy: 'topic', message: null, refresh: 30_000 };
}

/** JSON without schema into small files. */
export const options: WorkerTableOptions = {
  compression: 'none',
  compressionLevel: 1,
  inferRecords: 100,
  metadataColumns: 'struct',
  nanos: 'micros',
  numbers: 'auto',
  columns: {},
  jsonColumns: {},
  maxColumns: 1_000,
  maxDeadLetterRate: null,
  onBadRecord: 'dead-letter',
  onIncompatible: 'dead-letter',
  rowGroupSize: 1 << 20,
  targetFileSize: 1 << 20,
  timeOfDay: 'time',
  unions: 'optional',
  uint64: 'decimal',
  value: formatOf('json'),
  key: null,
};

const TABLE = 7;

/** The table of this lab. */
export function table(over: Partial<WorkerTableOptions> = {}): ToWorker {
  return {
    type: 'table',
    table: TABLE,
    options: { ...options, ...over },
    isolation: 'read_committed',
    maxBatchBytes: 1 << 20,
  };
}

/** Records of the lab's table, with offsets one after another from `from`. */
export function records(
  lane: number,
  from: number,
  list: readonly Omit<RecordToEncode, 'offset'>[],
  generation = 0,
): Extract<ToWorker, { type: 'records' }> {
  const numbered = list.map((record, i) => ({ ...record, offset: from + i }));
  const bytes = new Uint8Array(encodeBatch({ baseOffset: from, records: numbered }));
  return {
    type: 'records',
    table: TABLE,
    lane,
    generation,
    buffer: bytes.buffer,
    byteOffset: 0,
    byteLength: bytes.byteLength,
    nextOffset: from + list.length,
    aborted: [],
  };
}

/** Lets the worker read until it has nothing to do. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}
