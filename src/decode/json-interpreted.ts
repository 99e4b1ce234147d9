import type { ColumnBatch, Vector } from '../columns/batch.ts';
import type { RecordPositions } from '../source/record-batch.ts';
import type { DecodeFailure, Decoder } from './decoder.ts';
import { Coding, JsonLeafReader, codingOf } from './json-leaf.ts';
import { putJsonNumber } from './json-numbers.ts';
import type { JsonBinding, JsonMembers, JsonPlace, JsonTarget } from './json-place.ts';
import { holderOf, withoutPlace } from './json-siblings.ts';
import { sliceJson } from './json-slice.ts';
import type { JsonSlice } from './json-slice.ts';
import { UnknownMembers } from './json-unknown.ts';
import { isText } from './json-value.ts';
import { DecodeStop, NO_FAILURE } from './stop.ts';
import { appendNullRow, putBool, putBytes, putList, slot } from './vectors.ts';

/**
 * JSON by JSON.parse: judges every record that the byte decoder gives up on, and is its oracle.
 *
 * Without schema a value that is not an object is the column `value`. Members with null, [] or {} and no column are passed
 * over; any other member without a column stops the record with what its columns would be as `unknownFields`, or goes to
 * `_extra`.
 */
export class InterpretedJson implements Decoder {
  failure: DecodeFailure = NO_FAILURE;
  digitsCut = 0;
  readonly #binding: JsonBinding;
  readonly #strings: JsonLeafReader;
  #batch: ColumnBatch | null = null;
  #target: JsonTarget = { owned: [], members: { places: [], extra: null, missing: [], ignored: [] }, whole: null };

  constructor(binding: JsonBinding) {
    this.#binding = binding;
    this.#strings = new JsonLeafReader(binding.options.nanos);
  }

  decode(source: RecordPositions, from: number, to: number, batch: ColumnBatch): number {
    if (batch !== this.#batch) this.attach(batch, this.#binding.attach(batch));
    for (let i = from; i < to; i++) if (!this.record(source, i)) return i;
    return to;
  }

  attach(batch: ColumnBatch, target: JsonTarget): void {
    this.#batch = batch;
    this.#target = target;
  }

  /** One record into the attached batch; false and `failure` where it cannot be decoded. */
  record(source: RecordPositions, i: number): boolean {
    const { owned } = this.#target;
    const before = owned[0]?.length ?? 0;
    this.#strings.cut = 0;
    try {
      const length = source.payloadLength[i]!;
      const start = source.payloadStart[i]!;
      if (length < 0) this.#nulls();
      else this.#row(sliceJson(source.bytes.subarray(start, start + length)));
      this.digitsCut += this.#strings.cut;
      return true;
    } catch (stop) {
      if (!(stop instanceof DecodeStop)) throw stop;
      for (const column of owned) column.truncate(before);
      this.failure = stop;
      return false;
    }
  }

  #nulls(): void {
    for (const column of this.#target.owned) appendNullRow(column);
  }

  #row(value: JsonSlice): void {
    const { owned, members, whole } = this.#target;
    const key = this.#binding.part === 'key';
    // The JSON text `null` is a key that is present and has no fields.
    if (value.kind === 'null' && !key) return this.#nulls();
    const struct = key ? (owned[0] ?? null) : null;
    if (whole) {
      this.#value(whole, value, whole.key);
      this.#missing(members);
    } else {
      const object = this.#object(value);
      const unknown = new UnknownMembers(this.#binding);
      unknown.look(members, object);
      if (unknown.found) throw unknown.stop(members);
      this.#members(members, object, struct ? struct.field.name : '');
    }
    if (!struct) return undefined;
    slot(struct);
    struct.length++;
    return undefined;
  }

  #object(value: JsonSlice): ReadonlyMap<string, JsonSlice> {
    if (value.kind === 'object') return value.members();
    if (!this.#binding.typed) return new Map([['value', value]]);
    if (value.kind === 'null') return new Map();
    throw new DecodeStop(
      'SCHEMA_INCOMPATIBLE',
      `the writer schema is of an object, the value is ${withArticle(value)}`,
    );
  }

  #members(members: JsonMembers, object: ReadonlyMap<string, JsonSlice>, path: string): void {
    /** Members with a column that is of another kind than they are. */
    const extra = new Set<string>();
    for (const place of members.places) {
      const { key, siblings } = place;
      const value = object.get(key) ?? null;
      const at = path === '' ? key : `${path}.${key}`;
      const other = value !== null && members.extra !== null && withoutPlace(this.#binding, place, value) !== null;
      if (other) extra.add(key);
      const holder = value === null || siblings.length === 0 ? place : (holderOf(place, value) ?? place);
      for (const one of [place, ...siblings]) this.#value(one, one === holder && !other ? value : null, at);
    }
    this.#missing(members);
    if (members.extra) this.#extra(members, members.extra, object, extra);
  }

  #missing({ missing }: JsonMembers): void {
    for (const column of missing) {
      if (column.field.required)
        throw new DecodeStop('SCHEMA_INCOMPATIBLE', `${column.field.name}: the writer schema lacks a required column`);
      column.appendNull();
    }
  }

  #extra(
    { places, ignored }: JsonMembers,
    column: Vector,
    object: ReadonlyMap<string, JsonSlice>,
    other: ReadonlySet<string>,
  ): void {
    const known = new Set([...places.map((place) => place.key), ...ignored]);
    const rest = [...object].filter(([key]) => !known.has(key) || other.has(key));
    if (rest.length === 0) return column.appendNull();
    return putText(column, `{${rest.map(([key, value]) => `${JSON.stringify(key)}:${value.text}`).join(',')}}`);
  }

  #value(place: JsonPlace, value: JsonSlice | null, path: string): void {
    const { vector, members, inner, read } = place;
    if (value === null || value.kind === 'null') {
      if (vector.field.required)
        throw new DecodeStop('SCHEMA_INCOMPATIBLE', `${path}: is missing or null, and the column is required`);
      return vector.appendNull();
    }
    if (read === 'text') return putText(vector, value.text);
    switch (value.kind) {
      case 'object':
        if (members) {
          this.#members(members, value.members(), path);
          slot(vector);
          vector.length++;
          return undefined;
        }
        if (inner && vector.kind === 'map' && vector.children[0]!.field.type === 'string')
          return this.#map(vector, inner, value, path);
        break;
      case 'array':
        if (vector.kind !== 'list' || !inner) break;
        for (const item of value.items()) this.#value(inner, item, `${path}.element`);
        return putList(vector);
      case 'string': {
        const coding = codingOf(vector, read);
        if (vector.field.type !== 'string' && coding === Coding.none) break;
        const text = value.string;
        if (!isText(text))
          throw new DecodeStop('DECODE_JSON', `${path}: a string has a lone surrogate, which no UTF-8 can hold`);
        if (vector.field.type === 'string') return putText(vector, text);
        if (this.#strings.text(vector, coding, text)) return undefined;
        throw new DecodeStop(this.#strings.code, `${path}: ${this.#strings.reason}`);
      }
      case 'boolean':
        if (vector.kind === 'bool') return putBool(vector, value.text === 'true');
        break;
      case 'number':
        if (putJsonNumber(place, value.text, path)) return undefined;
        break;
    }
    throw new DecodeStop(
      'SCHEMA_INCOMPATIBLE',
      `${path}: the column is ${typeName(vector)}, the value is ${withArticle(value)}`,
    );
  }

  #map(vector: Vector, inner: JsonPlace, value: JsonSlice, path: string): void {
    for (const [key, item] of value.members()) {
      if (!isText(key))
        throw new DecodeStop('DECODE_JSON', `${path}: a key has a lone surrogate, which no UTF-8 can hold`);
      putText(vector.children[0]!, key);
      this.#value(inner, item, `${path}.value`);
    }
    putList(vector);
  }
}

function putText(vector: Vector, text: string): void {
  const bytes = Buffer.from(text, 'utf8');
  putBytes(vector, bytes, 0, bytes.length);
}

function typeName({ field: { type } }: Vector): string {
  return typeof type === 'string' ? type : `a ${type.type}`;
}

function withArticle({ kind }: JsonSlice): string {
  return `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}`;
}
