import { FIELDS_PROPERTY } from '../commit/statement.ts';
import { kafkaFields } from '../columns/metadata-columns.ts';
import type { SchemaChange } from '../commit/table-changes.ts';
import type { TableOptions } from '../config/config.ts';
import { TabletopicError } from '../errors.ts';
import { currentSchema } from '../iceberg/metadata.ts';
import type { TableMetadata } from '../iceberg/metadata.ts';
import { assignIds } from '../schema/assign-ids.ts';
import type { StructType } from '../schema/types.ts';

/**
 * The change that gives a table the columns of positions that it lacks; null: it has them. A table that others made never
 * had them. Where others dropped or renamed them, `onDropped` decides: rows without a position cannot be proven.
 *
 * Throws `TABLE_CHANGED` under `stop`, and where only a part of the struct is gone, which cannot be added as it was.
 */
export function positionColumns(
  metadata: TableMetadata,
  rule: Pick<TableOptions, 'metadataColumns' | 'onDropped'>,
  table: string,
): SchemaChange | null {
  const wanted = { type: 'struct', fields: kafkaFields(rule.metadataColumns) } as const;
  const schema = currentSchema(metadata);
  const [now, before] = [paths(schema), metadata.schemas.map(paths)];
  const gone = [...paths(wanted)].filter((path) => !now.has(path) && before.some((earlier) => earlier.has(path)));
  const inside = gone.some((path) => path.includes('.') && now.has(path.slice(0, path.indexOf('.'))));
  if (gone.length > 0 && rule.onDropped !== 'ignore' && (inside || rule.onDropped === 'stop')) {
    throw new TabletopicError(
      'TABLE_CHANGED',
      `the table lost ${gone.join(', ')}, which says where each row comes from`,
      {
        hint: inside
          ? 'Somebody dropped or renamed it: rename it back, or set `onDropped: ignore` to go on without it.'
          : 'Somebody dropped or renamed it: rename it back, or set `onDropped: recreate` to add it again (empty for older rows), or `ignore` to go on without it.',
        where: { table, columns: gone.join(', ') },
      },
    );
  }
  const missing = wanted.fields.filter(
    ({ name }) => !now.has(name) && (rule.onDropped !== 'ignore' || !gone.includes(name)),
  );
  if (missing.length === 0) return null;
  const optional = missing.map((field) => ({ ...field, required: false }));
  const { struct, lastId } = assignIds({ type: 'struct', fields: optional }, metadata['last-column-id'] + 1);
  const fields = metadata.properties?.[FIELDS_PROPERTY] ?? '{}';
  return { schema: { ...schema, fields: [...schema.fields, ...struct.fields] }, lastColumnId: lastId, fields };
}

/** Names of columns, and of the fields directly inside of them. */
function paths(schema: StructType): Set<string> {
  return new Set(
    schema.fields.flatMap(({ name, type }) => [
      name,
      ...(typeof type !== 'string' && type.type === 'struct'
        ? type.fields.map((field) => `${name}.${field.name}`)
        : []),
    ]),
  );
}
