import { readHeaders } from '../source/headers.ts';
import type { RecordPositions } from '../source/record-batch.ts';
import { validUtf8 } from './avro-cursor.ts';
import { jsonText } from './json-text.ts';
import { parseJson } from './json-value.ts';
import type { JsonValue } from './json-value.ts';
import { DecodeStop } from './stop.ts';

const encoder = new TextEncoder();
const PREFIX = 'ce_';

/**
 * A CloudEvent (CloudEvents 1.0, Kafka protocol binding) as JSON: its attributes, and `data`.
 *
 * Structured mode (content type `application/cloudevents+json`): the value is that JSON already. Binary mode: attributes
 * are the headers `ce_…` and `content-type` (as `datacontenttype`), and the value is the data: JSON where the content type
 * says so or is missing, text of `text/…` as a string, anything else in base64 as `data_base64`, as the JSON event format
 * has it. Null for a record without value and without attributes.
 *
 * @throws DecodeStop for data that is not what its content type says.
 */
export function cloudEventJson(source: RecordPositions, i: number): Uint8Array | null {
  const length = source.payloadLength[i]!;
  const start = source.payloadStart[i]!;
  const value = length < 0 ? null : source.bytes.subarray(start, start + length);
  const attributes: Record<string, JsonValue> = {};
  let contentType: string | null = null;
  for (const { key, value: bytes } of readHeaders(source, i)) {
    if (bytes === null) continue;
    const text = Buffer.from(bytes).toString('utf8');
    if (key.toLowerCase() === 'content-type') contentType = text;
    else if (key.startsWith(PREFIX)) attributes[key.slice(PREFIX.length)] = text;
  }
  const structured = contentType?.toLowerCase().startsWith('application/cloudevents') ?? false;
  if (structured || Object.keys(attributes).length === 0) return value;
  if (contentType !== null) attributes['datacontenttype'] = contentType;
  if (value !== null) Object.assign(attributes, dataOf(value, contentType));
  return encoder.encode(jsonText(attributes));
}

/** The media type without its parameters, `application/json` where there is none (CloudEvents 1.0, section 3.1.1). */
function dataOf(value: Uint8Array, contentType: string | null): Record<string, JsonValue> {
  const media = (contentType ?? 'application/json').split(';')[0]!.trim().toLowerCase();
  if (/[/+]json$/.test(media)) return { data: parseJson(value) };
  if (!media.startsWith('text/')) return { data_base64: Buffer.from(value).toString('base64') };
  if (!validUtf8(value, 0, value.length)) throw new DecodeStop('DECODE_TEXT', 'data: the text is not valid UTF-8');
  return { data: Buffer.from(value).toString('utf8') };
}
