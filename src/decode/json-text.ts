import { JsonNumber } from './json-value.ts';
import type { JsonValue } from './json-value.ts';
import { DecodeStop } from './stop.ts';

/**
 * The JSON text of a parsed value: numbers with the digits that they had.
 *
 * @throws DecodeStop DECODE_JSON for nesting beyond the stack.
 */
export function jsonText(value: JsonValue): string {
  try {
    return textOf(value);
  } catch (error) {
    if (error instanceof RangeError) throw new DecodeStop('DECODE_JSON', 'the value is nested too deeply');
    throw error;
  }
}

function textOf(value: JsonValue): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return JSON.stringify(value);
  if (value instanceof JsonNumber) return value.text;
  if (Array.isArray(value)) return `[${(value as readonly JsonValue[]).map(textOf).join(',')}]`;
  const members = Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)}:${textOf(inner)}`);
  return `{${members.join(',')}}`;
}
