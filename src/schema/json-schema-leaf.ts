import { at } from './at.ts';
import type { Flat, JsonType } from './json-schema-flat.ts';
import type { JsonSchemaOptions } from './json-schema.ts';
import type { JsonLeaf, JsonRead } from './json-plan.ts';
import type { PrimitiveType } from './types.ts';

export const TEXT: JsonLeaf = leaf('string', 'text');

/** Integer types of Kafka Connect (`connect.type`); its converter writes them as `integer` and `number`. */
const CONNECT: Readonly<Record<string, PrimitiveType>> = {
  int8: 'int',
  int16: 'int',
  int32: 'int',
  int64: 'long',
  float32: 'float',
  float64: 'double',
  bytes: 'binary',
};

/** A schema of numbers, strings or booleans (DESIGN §6), with the hints of Kafka Connect's JsonSchemaConverter. */
export function leafOf(type: JsonType, flat: Flat, options: JsonSchemaOptions): JsonLeaf {
  const connect = flat.other.get('connect.type');
  const hint = typeof connect === 'string' ? at(CONNECT, connect) : undefined;
  const logical = logicalOf(flat, options);
  switch (type) {
    case 'boolean':
      return leaf('boolean');
    case 'integer':
      return logical ?? leaf(hint === 'int' || hint === 'long' ? hint : 'long');
    case 'number':
      return logical ?? leaf(hint === 'float' ? 'float' : 'double');
    case 'string':
      return (
        logical ??
        (hint === 'binary' || flat.other.get('contentEncoding') === 'base64' ? leaf('binary') : text(flat, options))
      );
    default:
      return TEXT;
  }
}

function text(flat: Flat, options: JsonSchemaOptions): JsonLeaf {
  switch (flat.other.get('format')) {
    case 'date-time':
      if (options.nanos === 'native') return leaf('timestamptz_ns');
      return options.nanos === 'long' ? leaf('long', 'nanos') : leaf('timestamptz');
    case 'date':
      return leaf('date');
    case 'uuid':
      return leaf('uuid');
    default:
      return leaf('string');
  }
}

/** Kafka Connect's logical types stand in `title`. */
function logicalOf(flat: Flat, options: JsonSchemaOptions): JsonLeaf | null {
  const prefix = 'org.apache.kafka.connect.data.';
  const title = flat.other.get('title');
  switch (typeof title === 'string' && title.startsWith(prefix) ? title.slice(prefix.length) : '') {
    case 'Decimal': {
      const parameters = flat.other.get('connect.parameters') as Readonly<Record<string, unknown>> | null | undefined;
      const scale = Number(parameters?.['scale'] ?? 0);
      const precision = Number(parameters?.['connect.decimal.precision'] ?? 38);
      const valid = Number.isInteger(scale) && Number.isInteger(precision) && scale >= 0 && precision <= 38;
      return valid && precision >= Math.max(scale, 1) ? leaf(`decimal(${precision}, ${scale})`, 'unscaled') : null;
    }
    case 'Date':
      return leaf('date', 'days');
    case 'Time':
      return leaf(options.timeOfDay, 'time-millis');
    case 'Timestamp':
      return leaf('timestamptz', 'millis');
    default:
      return null;
  }
}

function leaf(type: PrimitiveType, read: JsonRead = 'plain'): JsonLeaf {
  return { op: 'leaf', read, type };
}
