import type { Requirement } from './catalog.ts';
import type { TableMetadata } from './metadata.ts';

/** What speaks against a requirement (REST spec, `TableRequirement`), or null where it holds. `metadata` null: no such table. */
export function violation(requirement: Requirement, metadata: TableMetadata | null): string | null {
  if (requirement.type === 'assert-create') return metadata === null ? null : 'the table already exists';
  if (metadata === null) return 'the table does not exist';
  const differs = (what: string, expected: unknown, found: unknown): string | null =>
    expected === found ? null : `${what} changed: expected ${String(expected)}, found ${String(found)}`;
  switch (requirement.type) {
    case 'assert-table-uuid':
      return differs('table UUID', requirement.uuid.toLowerCase(), metadata['table-uuid'].toLowerCase());
    case 'assert-ref-snapshot-id': {
      const found = metadata.refs?.[requirement.ref]?.['snapshot-id'] ?? null;
      return differs(`branch or tag ${requirement.ref}`, requirement['snapshot-id'], found);
    }
    case 'assert-last-assigned-field-id':
      return differs('last assigned field id', requirement['last-assigned-field-id'], metadata['last-column-id']);
    case 'assert-current-schema-id':
      return differs('current schema id', requirement['current-schema-id'], metadata['current-schema-id']);
    case 'assert-last-assigned-partition-id':
      return differs(
        'last assigned partition id',
        requirement['last-assigned-partition-id'],
        metadata['last-partition-id'],
      );
    case 'assert-default-spec-id':
      return differs('default partition spec id', requirement['default-spec-id'], metadata['default-spec-id']);
    case 'assert-default-sort-order-id':
      return differs('default sort order id', requirement['default-sort-order-id'], metadata['default-sort-order-id']);
  }
}
