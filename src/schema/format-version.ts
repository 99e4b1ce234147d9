import { TabletopicError } from '../errors.ts';
import type { IcebergType, Schema } from './types.ts';

/** Dotted paths of columns whose types only format version 3 has (Iceberg spec, "Schemas and Data Types"). */
export function columnsOfV3(type: IcebergType, path = ''): string[] {
  if (typeof type === 'string') return type.endsWith('_ns') ? [path] : [];
  const inside = (name: string, inner: IcebergType): string[] =>
    columnsOfV3(inner, path === '' ? name : `${path}.${name}`);
  switch (type.type) {
    case 'struct':
      return type.fields.flatMap((field) => inside(field.name, field.type));
    case 'list':
      return inside('element', type.element);
    case 'map':
      return [...inside('key', type.key), ...inside('value', type.value)];
  }
}

/** What to do about a table that was created with an older version. */
export const UPGRADE =
  "Upgrade the table (in Spark: ALTER TABLE … SET TBLPROPERTIES ('format-version' = '3')), or set `nanos: micros`.";

/** Rejects with `TABLE_UNSUPPORTED` a schema that the table's format version does not have all types for. */
export function refuseNewerTypes(schema: Schema, formatVersion: number, table: string): void {
  const newer = formatVersion < 3 ? columnsOfV3(schema) : [];
  if (newer.length === 0) return;
  throw new TabletopicError(
    'TABLE_UNSUPPORTED',
    `${table} has format version ${formatVersion}, which has no nanoseconds: ${newer.join(', ')}`,
    { hint: UPGRADE, where: { table } },
  );
}
