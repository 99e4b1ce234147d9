import { TabletopicError } from '../errors.ts';
import type { AvroFixed, AvroPrimitive } from './avro-node.ts';
import type { AvroOptions } from './avro.ts';
import type { Convert, LeafPlan } from './avro-plan.ts';
import type { PrimitiveType } from './types.ts';

const PLAIN: Readonly<Record<LeafPlan['wire'], PrimitiveType>> = {
  boolean: 'boolean',
  int: 'int',
  long: 'long',
  float: 'float',
  double: 'double',
  bytes: 'binary',
  string: 'string',
  fixed: 'binary',
};

/**
 * Primitive and fixed types with their logical types (Avro 1.12, "Logical Types"). A logical type that is unknown or
 * does not fit its base is ignored, as the specification asks.
 */
export function leafPlan(
  node: Exclude<AvroPrimitive, { kind: 'null' }> | AvroFixed,
  options: AvroOptions,
  path: string,
): LeafPlan {
  const wire = node.kind as LeafPlan['wire'];
  const size = node.kind === 'fixed' ? node.size : 0;
  const leaf = (type: PrimitiveType, convert: Convert = 'none'): LeafPlan => ({
    op: 'leaf',
    node,
    nullable: false,
    wire,
    size,
    convert,
    type,
  });
  const { logical } = node;
  switch (`${wire} ${logical?.name ?? ''}`) {
    case 'bytes decimal':
    case 'fixed decimal': {
      const { precision, scale } = logical!;
      const most = wire === 'fixed' ? Math.floor(Math.log10(2) * (8 * size - 1)) : Infinity;
      if (precision < 1 || scale < 0 || scale > precision || precision > most) break;
      if (precision > 38) throw refused(path, `decimal(${precision}, ${scale}) has more than 38 digits`);
      return leaf(`decimal(${precision}, ${scale})`, 'decimal');
    }
    case 'bytes big-decimal':
      return leaf('string', 'big-decimal-text');
    case 'string connect:zoned-timestamp':
      if (options.connect === true) return leaf('timestamptz', 'date-time-text');
      break;
    case 'string uuid':
      return leaf('uuid', 'uuid-text');
    case 'fixed uuid':
      if (size === 16) return leaf('uuid');
      break;
    case 'int date':
      return leaf('date');
    case 'int time-millis':
      return time('millis');
    case 'long time-micros':
      return time('micros');
    case 'long timestamp-millis':
      return leaf('timestamptz', 'millis-to-micros');
    case 'long timestamp-micros':
      return leaf('timestamptz');
    case 'long local-timestamp-millis':
      return leaf('timestamp', 'millis-to-micros');
    case 'long local-timestamp-micros':
      return leaf('timestamp');
    case 'long timestamp-nanos':
      return nanos('timestamptz');
    case 'long local-timestamp-nanos':
      return nanos('timestamp');
    default:
      break;
  }
  // Parquet has no fixed of length 0.
  return leaf(wire === 'fixed' && size > 0 ? `fixed[${size}]` : PLAIN[wire]);

  function time(unit: 'millis' | 'micros'): LeafPlan {
    return options.timeOfDay === 'string'
      ? leaf('string', `time-${unit}-text`)
      : leaf(options.timeOfDay, `time-${unit}`);
  }

  function nanos(type: 'timestamp' | 'timestamptz'): LeafPlan {
    if (options.nanos === 'error') throw refused(path, 'has nanoseconds, and `nanos` is `error`');
    if (options.nanos === 'native') return leaf(`${type}_ns`);
    return options.nanos === 'long' ? leaf('long') : leaf(type, 'nanos-to-micros');
  }
}

/** The records of such a schema are dead letters: the type has no column that could hold every value. */
function refused(path: string, problem: string): TabletopicError {
  return new TabletopicError('SCHEMA_INCOMPATIBLE', `${path || 'the value'}: ${problem}`);
}
