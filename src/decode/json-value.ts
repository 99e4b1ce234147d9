import { DecodeStop } from './stop.ts';

/** A number with its source text, so that no digit is lost. */
export class JsonNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type JsonValue = null | boolean | string | JsonNumber | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The text of UTF-8 JSON, and what `parse` makes of it.
 *
 * @throws DecodeStop DECODE_JSON for bytes that are not UTF-8 or not JSON, and for nesting beyond the stack.
 */
export function fromJson<T>(bytes: Uint8Array, parse: (text: string) => T): T {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    throw new DecodeStop('DECODE_JSON', 'the value is not valid UTF-8');
  }
  return judged(text, parse);
}

function judged<T>(text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    const problem = error instanceof SyntaxError ? 'is not JSON' : 'is nested too deeply';
    throw new DecodeStop('DECODE_JSON', text === '' ? 'the value is empty' : `the value ${problem}`);
  }
}

/**
 * Parses UTF-8 JSON without loss of digits. Of equal keys in one object the last one counts, as in every JSON.parse.
 *
 * @throws DecodeStop as `fromJson`.
 */
export function parseJson(bytes: Uint8Array): JsonValue {
  return fromJson(bytes, parsed);
}

/** As `parseJson`, of text. */
export function parseText(text: string): JsonValue {
  return judged(text, parsed);
}

function parsed(text: string): JsonValue {
  // A type assertion because the library's types do not know the third parameter (TC39 "JSON.parse source text access").
  return (JSON.parse as Parse)(text, (_key, value, context) =>
    typeof value === 'number' ? new JsonNumber(context.source!) : value,
  ) as JsonValue;
}

type Parse = (text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown) => unknown;

export function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof JsonNumber);
}

/** True where a string is a sequence of Unicode characters: a lone surrogate has no UTF-8. */
export function isText(value: string): boolean {
  return value.isWellFormed();
}
