import { TabletopicError } from '../errors.ts';
import { decimalOf } from '../schema/types.ts';
import type { IcebergType, PrimitiveType } from '../schema/types.ts';

/** A partition transform (Iceberg spec, "Partition Transforms"), parsed. */
export type Transform =
  | { readonly kind: 'identity' | 'year' | 'month' | 'day' | 'hour' | 'void' }
  | { readonly kind: 'bucket' | 'truncate'; readonly width: number };

/** From the metadata's form: `identity`, `bucket[16]`, `day` … Throws `SCHEMA_UNSUPPORTED` for one that is unknown. */
export function parseTransform(text: string): Transform {
  const sized = /^(bucket|truncate)\[(\d+)\]$/.exec(text);
  const width = sized ? Number(sized[2]) : 0;
  if (sized && width > 0 && width <= 0x7fffffff) return { kind: sized[1] as 'bucket' | 'truncate', width };
  const plain = /^(identity|year|month|day|hour|void)$/.exec(text);
  if (plain) return { kind: plain[1] as 'identity' };
  throw new TabletopicError('SCHEMA_UNSUPPORTED', `the partition transform ${text} is unknown`);
}

/**
 * Type of the transform's results in manifests and partition tuples. `day` gives a date there (DESIGN §6). Throws
 * `SCHEMA_UNSUPPORTED` where the spec does not define the transform for the type.
 */
export function resultType(transform: Transform, source: IcebergType): PrimitiveType {
  if (typeof source === 'string') {
    const timestamp = /^timestamp(tz)?(_ns)?$/.test(source);
    switch (transform.kind) {
      case 'identity':
      case 'void':
        return source;
      case 'bucket':
        if (source !== 'boolean' && source !== 'float' && source !== 'double') return 'int';
        break;
      case 'truncate':
        if (source === 'int' || source === 'long' || source === 'string' || source === 'binary' || decimalOf(source))
          return source;
        break;
      case 'year':
      case 'month':
        if (source === 'date' || timestamp) return 'int';
        break;
      case 'day':
        if (source === 'date' || timestamp) return 'date';
        break;
      case 'hour':
        if (timestamp) return 'int';
        break;
    }
  }
  const shown = typeof source === 'string' ? source : source.type;
  throw new TabletopicError(
    'SCHEMA_UNSUPPORTED',
    `the partition transform ${transform.kind} does not apply to a column of type ${shown}`,
  );
}
