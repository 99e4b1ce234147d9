import type { Decoder, DecodeFailure } from '../decode/decoder.ts';
import { makeDecoder } from '../decode/factory.ts';
import { NULL_KEY } from '../decode/wire-format.ts';
import { TabletopicError } from '../errors.ts';
import type { Layout, SchemaAnswer, SchemaKey, WorkerTableOptions } from './messages.ts';

/** Compiled decoders kept at once; the least recently used is compiled again when it is needed. */
const MOST = 256;

/** What is known of a table's writer schemas in one worker, and the decoders made of it. */
export class Decoders {
  readonly #options: WorkerTableOptions;
  readonly #answers = new Map<SchemaKey, SchemaAnswer>();
  /** In order of use. */
  readonly #compiled = new Map<SchemaKey, Decoder>();

  constructor(options: WorkerTableOptions) {
    this.#options = options;
  }

  answer(answer: SchemaAnswer): void {
    this.#answers.set(answer.key, answer);
    this.#compiled.delete(answer.key);
  }

  knows(key: SchemaKey): boolean {
    return this.#answers.has(key);
  }

  refused(key: SchemaKey): Pick<DecodeFailure, 'code' | 'reason'> | null {
    const answer = this.#answers.get(key);
    return answer && 'refused' in answer ? answer.refused : null;
  }

  /** The layout changed: decoders write to the columns of one layout. */
  forget(): void {
    this.#compiled.clear();
  }

  /** The table may be another by now: every answer is asked for again. */
  clear(): void {
    this.#answers.clear();
    this.#compiled.clear();
  }

  of(key: SchemaKey, layout: Layout): Decoder {
    const known = this.#compiled.get(key);
    this.#compiled.delete(key);
    const decoder = known ?? this.#compile(key, layout);
    this.#compiled.set(key, decoder);
    if (this.#compiled.size > MOST) this.#compiled.delete(this.#compiled.keys().next().value!);
    return decoder;
  }

  #compile(key: SchemaKey, layout: Layout): Decoder {
    if (key === NULL_KEY) {
      return makeDecoder(
        { format: 'json', text: '', references: {}, struct: { type: 'struct', fields: [] } },
        layout.schema,
        this.#options,
      );
    }
    const answer = this.#answers.get(key);
    if (!answer || 'refused' in answer) throw new TabletopicError('INTERNAL', `no decoder for schema ${key}`);
    return makeDecoder(answer.bound, layout.schema, this.#options);
  }
}
