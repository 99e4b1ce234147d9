import type { Change } from './evolve.ts';
import type { IcebergType, Schema, StructType } from './types.ts';

/**
 * Those of the added columns that the table once had and somebody dropped: an earlier schema has the path, with a field
 * id that the current one lacks. Adding them again would bring back in silence what was taken out on purpose.
 */
export function droppedColumns(schemas: readonly Schema[], current: Schema, changes: readonly Change[]): string[] {
  const added = changes.flatMap((change) => (change.kind === 'add' ? [change.path] : []));
  if (added.length === 0) return [];
  const ids = new Set(paths(current).values());
  const earlier = schemas.flatMap((schema) =>
    [...paths(schema)].filter(([, id]) => !ids.has(id)).map(([path]) => path),
  );
  return added.filter((path) => earlier.includes(path));
}

/** Field ids by dotted path, as evolution names them. */
function paths(schema: StructType): Map<string, number> {
  const found = new Map<string, number>();
  const visit = (type: IcebergType, prefix: string): void => {
    if (typeof type === 'string') return;
    if (type.type === 'list') visit(type.element, `${prefix}element.`);
    else if (type.type === 'map') visit(type.value, `${prefix}value.`);
    else {
      for (const field of type.fields) {
        found.set(`${prefix}${field.name}`, field.id);
        visit(field.type, `${prefix}${field.name}.`);
      }
    }
  };
  visit(schema, '');
  return found;
}
