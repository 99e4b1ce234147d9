import type { NestedField } from './types.ts';

/**
 * The column `_extra` of a struct (or of the table): JSON text of an object with the members that have no column of
 * their own, so that none of them is dropped (DESIGN, invariant 7). It is added with the first such member, and known by
 * its doc, because a source may have a field of the same name.
 */
const DOC = 'JSON object with the members that have no column of their own.';

/** The column to add beside columns of these names: `_extra`, or with a suffix where a field has that name. */
export function extraField(taken: readonly string[]): NestedField {
  const names = new Set(taken.map((name) => name.toLowerCase()));
  let name = '_extra';
  for (let n = 2; names.has(name); n++) name = `_extra_${n}`;
  return { id: 0, name, required: false, type: 'string', doc: DOC };
}

export function isExtraColumn(field: NestedField): boolean {
  return field.type === 'string' && (field.doc?.endsWith(DOC) ?? false);
}
