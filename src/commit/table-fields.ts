import { type TableMetadata, currentSchema } from '../iceberg/metadata.ts';
import type { TableFields } from '../schema/derive.ts';
import type { FieldHistory } from '../schema/evolve.ts';
import { FIELDS_PROPERTY } from './statement.ts';

/** What evolution needs of a table's metadata. */
export function tableFields(metadata: TableMetadata): TableFields {
  return {
    schemas: metadata.schemas,
    current: currentSchema(metadata),
    lastColumnId: metadata['last-column-id'],
    history: JSON.parse(metadata.properties?.[FIELDS_PROPERTY] ?? '{}') as FieldHistory,
  };
}
