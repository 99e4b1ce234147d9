import type { ColumnBatch } from '../columns/batch.ts';
import { RecordPositions } from '../source/record-batch.ts';
import { cloudEventJson } from './cloudevents.ts';
import { debeziumJson } from './debezium-json.ts';
import type { DecodeFailure, Decoder } from './decoder.ts';
import { DecodeStop, NO_FAILURE } from './stop.ts';

/** The JSON that a record stands for, or null; throws DecodeStop. */
export type Rewrite = (source: RecordPositions, i: number) => Uint8Array | null;

/** Of formats whose records are JSON in another shape than that of the row; null: they are the row. */
export function rewriteOf(format: string): Rewrite | null {
  if (format === 'debezium') return debeziumJson;
  return format === 'cloudevents' ? cloudEventJson : null;
}

/** Records rewritten at once: as many as may be rewritten again after one that fails. */
const AT_ONCE = 64;
/** Decoders may read words beyond the end. */
const SLACK = 16;

/** A JSON decoder of what records stand for. */
export class RewrittenJson implements Decoder {
  failure: DecodeFailure = NO_FAILURE;
  readonly #json: Decoder;
  readonly #rewrite: Rewrite;
  readonly #rewritten = new RecordPositions();

  constructor(json: Decoder, rewrite: Rewrite) {
    this.#json = json;
    this.#rewrite = rewrite;
  }

  get digitsCut(): number {
    return this.#json.digitsCut ?? 0;
  }

  decode(source: RecordPositions, from: number, to: number, batch: ColumnBatch): number {
    for (let at = from; at < to;) {
      const end = Math.min(to, at + AT_ONCE);
      const ready = this.#fill(source, at, end);
      const taken = this.#json.decode(this.#rewritten, 0, ready, batch);
      if (taken < ready) this.failure = this.#json.failure;
      if (taken < end - at) return at + taken;
      at = end;
    }
    return to;
  }

  /** How many records were rewritten before one that cannot be. */
  #fill(source: RecordPositions, from: number, to: number): number {
    const texts: (Uint8Array | null)[] = [];
    try {
      for (let i = from; i < to; i++) texts.push(this.#rewrite(source, i));
    } catch (stop) {
      if (!(stop instanceof DecodeStop)) throw stop;
      this.failure = stop;
    }
    const rewritten = this.#rewritten;
    rewritten.reserve(texts.length);
    const bytes = new Uint8Array(texts.reduce((sum, text) => sum + (text?.length ?? 0), SLACK));
    let at = 0;
    texts.forEach((text, i) => {
      rewritten.payloadStart[i] = at;
      rewritten.payloadLength[i] = text?.length ?? -1;
      if (!text) return;
      bytes.set(text, at);
      at += text.length;
    });
    rewritten.bytes = bytes;
    rewritten.view = new DataView(bytes.buffer);
    rewritten.count = texts.length;
    return texts.length;
  }
}
