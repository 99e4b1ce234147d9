import type { AvroNode } from '../schema/avro-node.ts';
import { DEBEZIUM_COLUMN } from '../schema/debezium.ts';
import type { RecordPositions } from '../source/record-batch.ts';
import { jsonToAvro } from './json-to-avro.ts';
import { jsonText } from './json-text.ts';
import { isObject, parseJson } from './json-value.ts';
import type { JsonValue } from './json-value.ts';

const encoder = new TextEncoder();

/**
 * A Debezium event in JSON as the JSON of its row: the members of `after`, or of `before` where the row was deleted, and
 * all else of the envelope as the member `_debezium`. Connect's wrapper (`schema` beside `payload`) is taken off. What is
 * no envelope stays as it is; null for a tombstone.
 *
 * @throws DecodeStop for what is not JSON.
 */
export function debeziumJson(source: RecordPositions, i: number): Uint8Array | null {
  const length = source.payloadLength[i]!;
  if (length < 0) return null;
  const start = source.payloadStart[i]!;
  const row = rowOf(payloadOf(parseJson(source.bytes.subarray(start, start + length))));
  return row === null ? null : encoder.encode(jsonText(row));
}

/** Payloads of Connect's JSON with schema, as the Avro of their schema. */
export function connectJson(node: AvroNode): (source: RecordPositions, i: number) => Uint8Array | null {
  return (source, i) => {
    const length = source.payloadLength[i]!;
    if (length < 0) return null;
    const start = source.payloadStart[i]!;
    return jsonToAvro(node, parseJson(source.bytes.subarray(start, start + length)));
  };
}

/** What Connect's JsonConverter wraps. */
export function payloadOf(value: JsonValue): JsonValue {
  const wrapped = isObject(value) && Object.hasOwn(value, 'schema') && Object.hasOwn(value, 'payload');
  return wrapped && Object.keys(value).length === 2 ? value['payload']! : value;
}

function rowOf(event: JsonValue): JsonValue {
  if (!isObject(event) || !Object.hasOwn(event, 'op') || !Object.hasOwn(event, 'after')) return event;
  const { before = null, after, ...rest } = event;
  const image = [after!, before].find(isObject) ?? {};
  return Object.fromEntries([...Object.entries(image).map(renamed), [DEBEZIUM_COLUMN, rest]]);
}

/** A column that has the name of ours. */
function renamed([name, value]: [string, JsonValue]): [string, JsonValue] {
  return [name.toLowerCase() === DEBEZIUM_COLUMN ? `${name}_2` : name, value];
}
