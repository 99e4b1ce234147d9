import type { Decoder, DecodeFailure, Part } from '../decode/decoder.ts';
import { makeDecoder } from '../decode/factory.ts';
import { RewrittenJson, rewriteOf } from '../decode/json-rewrite.ts';
import { NO_FAILURE } from '../decode/stop.ts';
import { NULL_KEY } from '../decode/wire-format.ts';
import { TabletopicError } from '../errors.ts';
import { WHOLE_KEY } from '../schema/evolve-key.ts';
import { fieldsOf } from '../schema/fields-of.ts';
import { KEY_COLUMN } from '../schema/names.ts';
import type { DecoderAnswer, Layout, SchemaKey, WorkerTableOptions } from './messages.ts';

/** Compiled decoders kept at once; the least recently used is compiled again when it is needed. */
const MOST = 256;

/** For keys that have no fields: there is no column `_key`, and nothing to read. */
const NO_COLUMN: Decoder = { decode: (_source, _from, to) => to, failure: NO_FAILURE };

/**
 * What is known of a table's writer schemas in one worker, and the decoders made of it.
 *
 * Invariant 7: no value is left out in silence. Every answer is bound to columns that the layout has.
 *
 * Breaks: test/pipeline/decoders.test.ts, "are asked for again, though a new one has its name".
 */
export class Decoders {
  readonly #options: WorkerTableOptions;
  readonly #part: Part;
  readonly #answers = new Map<SchemaKey, DecoderAnswer>();
  /** In order of use. */
  readonly #compiled = new Map<SchemaKey, Decoder>();

  constructor(options: WorkerTableOptions, part: Part) {
    this.#options = options;
    this.#part = part;
  }

  answer(answer: DecoderAnswer): void {
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

  /** Columns of the writer that are not written (`onDropped: ignore`). */
  ignored(key: SchemaKey): number {
    const answer = this.#answers.get(key);
    return answer && 'bound' in answer ? (answer.ignored ?? 0) : 0;
  }

  /**
   * The layout changed: decoders write to the columns of one layout. A schema that is bound to columns which the table no
   * longer has is asked for again: somebody dropped them, perhaps added them anew, and their values would be left out.
   */
  forget(layout: Layout): void {
    this.#compiled.clear();
    const ids = new Set(fieldsOf(layout.schema).map(({ id }) => id));
    // Fields that are not written have the id 0.
    const isThere = ({ id }: { readonly id: number }): boolean => id === 0 || ids.has(id);
    for (const [key, answer] of this.#answers)
      if ('bound' in answer && !fieldsOf(answer.bound.struct).every(isThere)) this.#answers.delete(key);
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
        this.#part,
      );
    }
    const answer = this.#answers.get(key);
    if (!answer || 'refused' in answer) throw new TabletopicError('INTERNAL', `no decoder for schema ${key}`);
    if (this.#part === 'key' && !layout.schema.fields.some((field) => field.name === KEY_COLUMN))
      // JSON keys may have fields yet: the decoder finds them, and asks for the column, unless it was dropped and stays so.
      return answer.bound.format === 'json' && answer.bound.ignored?.includes(WHOLE_KEY) !== true
        ? makeDecoder(answer.bound, layout.schema, this.#options, 'key')
        : NO_COLUMN;
    const decoder = makeDecoder(answer.bound, layout.schema, this.#options, this.#part);
    const rewrite = answer.bound.format === 'json' ? rewriteOf(this.#options[this.#part]!.format) : null;
    return rewrite ? new RewrittenJson(decoder, rewrite) : decoder;
  }
}
