import type { Part } from '../decode/decoder.ts';
import { emptyShape, observe } from '../decode/infer.ts';
import type { Shape } from '../decode/infer.ts';
import type { Rewrite } from '../decode/json-rewrite.ts';
import { DecodeStop } from '../decode/stop.ts';
import type { RecordPositions } from '../source/record-batch.ts';
import { PLAIN_KEY, WireFormatReader } from '../decode/wire-format.ts';
import { TabletopicError } from '../errors.ts';
import { BatchReader } from '../source/batch-reader.ts';
import type { Records } from './lane-reader.ts';
import type { ToWorker } from './messages.ts';

/**
 * Looks at records ahead of decoding to infer columns for JSON without schema. What is looked at is read again by the
 * decoder: the sampler has a reader of its own and changes nothing.
 */
export class JsonSampler {
  readonly #open: Extract<ToWorker, { type: 'table' }>;
  readonly #say: (shape: Shape, records: number) => void;
  readonly #wire: WireFormatReader;
  readonly #rewrite: Rewrite | null;
  #left: number;

  constructor(
    open: Extract<ToWorker, { type: 'table' }>,
    wireFormat: 'confluent' | 'plain' | 'auto',
    part: Part,
    rewrite: Rewrite | null,
    say: (shape: Shape, records: number) => void,
  ) {
    this.#open = open;
    this.#say = say;
    this.#wire = new WireFormatReader(wireFormat, part);
    this.#rewrite = rewrite;
    this.#left = open.options.inferRecords;
  }

  /** Damage is left for the decoder to report. `own`: of a topic that feeds several tables, which records are this one's. */
  take(
    message: Records,
    fromOffset: number,
    own: ((positions: RecordPositions, index: number) => boolean) | null = null,
  ): void {
    if (this.#left <= 0) return;
    const { isolation, maxBatchBytes } = this.#open;
    const reader = new BatchReader({ isolation, maxBatchBytes });
    reader.open(new Uint8Array(message.buffer, message.byteOffset, message.byteLength), fromOffset, message.aborted);
    let shape = emptyShape();
    let records = 0;
    try {
      while (this.#left > 0 && reader.next()) {
        const { positions } = reader;
        for (let from = 0; from < positions.count && this.#left > 0;) {
          const { schemaId, end } = this.#wire.nextRun(positions, from, positions.count);
          const to = Math.min(end, from + this.#left);
          if (schemaId === PLAIN_KEY)
            for (let i = from; i < to; i++) {
              if (own?.(positions, i) === false) continue;
              const text = this.#text(positions, i);
              if (text) shape = observe(shape, text);
              records++;
              this.#left--;
            }
          from = end;
        }
      }
    } catch (error) {
      if (!(error instanceof TabletopicError)) throw error;
    }
    this.#say(shape, records);
  }

  /** What the decoder will read; what cannot be rewritten is left for it to report. */
  #text(positions: RecordPositions, i: number): Uint8Array | null {
    const [start, length] = [positions.payloadStart[i]!, positions.payloadLength[i]!];
    if (!this.#rewrite) return length < 0 ? null : positions.bytes.subarray(start, start + length);
    try {
      return this.#rewrite(positions, i);
    } catch (stop) {
      if (stop instanceof DecodeStop) return null;
      throw stop;
    }
  }
}
