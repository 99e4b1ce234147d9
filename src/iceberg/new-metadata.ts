import { TabletopicError } from '../errors.ts';
import type { CreateTableRequest } from './catalog.ts';
import { assignFreshIds } from './fresh-ids.ts';
import type { TableMetadata } from './metadata.ts';

const FIRST_PARTITION_ID = 1000;

/**
 * Metadata of a new table, as a REST server makes it from a create request: schema, partition and sort fields are
 * numbered anew (ids in the request only tie them together); `format-version` in the properties chooses the version and
 * is not kept.
 *
 * @throws TabletopicError `CATALOG_REFUSED` when a spec or sort order names a field that the schema lacks.
 */
export function newMetadata(request: CreateTableRequest, uuid: string, location: string, now: number): TableMetadata {
  const { schema, lastColumnId, idOf } = assignFreshIds(request.schema);
  const source = (id: number): number => {
    const fresh = idOf.get(id);
    if (fresh === undefined)
      throw new TabletopicError(
        'CATALOG_REFUSED',
        `the partition spec or sort order names field ${id}, which the schema does not have`,
      );
    return fresh;
  };
  const { 'format-version': version = '2', ...properties } = request.properties;
  if (version !== '2' && version !== '3')
    throw new TabletopicError('CATALOG_REFUSED', `tables of format version ${version} cannot be created; 2 and 3 can`);
  const fields = request.spec.fields.map((field, i) => ({
    ...field,
    'source-id': source(field['source-id']),
    'field-id': FIRST_PARTITION_ID + i,
  }));
  const order = request.sortOrder?.fields.map((field) => ({ ...field, 'source-id': source(field['source-id']) })) ?? [];
  const orderId = order.length === 0 ? 0 : 1;
  return {
    'format-version': version === '3' ? 3 : 2,
    'table-uuid': uuid,
    location,
    'last-sequence-number': 0,
    'last-updated-ms': now,
    'last-column-id': lastColumnId,
    'current-schema-id': 0,
    schemas: [{ ...schema, 'schema-id': 0 }],
    'default-spec-id': 0,
    'partition-specs': [{ 'spec-id': 0, fields }],
    'last-partition-id': FIRST_PARTITION_ID - 1 + fields.length,
    'default-sort-order-id': orderId,
    'sort-orders': [{ 'order-id': orderId, fields: order }],
    properties,
    'current-snapshot-id': null,
    refs: {},
    snapshots: [],
    statistics: [],
    'partition-statistics': [],
    'snapshot-log': [],
    'metadata-log': [],
    ...(version === '3' && { 'next-row-id': 0 }),
  };
}
