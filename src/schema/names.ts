import type { NestedField } from './types.ts';

/** The struct of the decoded key. */
export const KEY_COLUMN = '_key';

/** Columns that the service fills (`metadataColumns: struct` and `flat`, and the decoded key). */
const SERVICE_COLUMNS: ReadonlySet<string> = new Set([
  '_kafka',
  KEY_COLUMN,
  '_kafka_topic',
  '_kafka_partition',
  '_kafka_offset',
  '_kafka_timestamp',
  '_kafka_timestamp_type',
  '_kafka_key',
  '_kafka_headers',
]);

/** True for the names of top-level columns that belong to the service, without regard to case. */
export function isServiceColumn(name: string): boolean {
  return SERVICE_COLUMNS.has(name.toLowerCase());
}

/**
 * The names of one table. Invariant: no two fields are equal as dotted paths without regard to case, because engines
 * that ignore case, or write nested fields with dots, could not tell them apart (DESIGN §6).
 */
export class NameScope {
  readonly #taken = new Set<string>();

  /** The name itself (`_` for an empty one), or with the suffix `_2`, `_3` … where it is taken or belongs to the service. `prefix` ends in a dot or is empty. */
  claim(prefix: string, name: string): string {
    for (let n = 1; ; n++) {
      const candidate = n === 1 ? name || '_' : `${name || '_'}_${n}`;
      const path = (prefix + candidate).toLowerCase();
      if (this.#taken.has(path) || isServiceColumn(path)) continue;
      this.#taken.add(path);
      return candidate;
    }
  }
}

const RENAMED = /^Source name: ("(?:[^"\\]|\\.)*")\./;

/** The doc of a column: what the source says, after the source's name where the column could not keep it. */
export function columnDoc(sourceName: string, name: string, doc: string | undefined): string | undefined {
  if (sourceName === name) return doc;
  return `Source name: ${JSON.stringify(sourceName)}.${doc ? ` ${doc}` : ''}`;
}

/** The name that a field has in its source: its own, unless its doc records another. */
export function sourceName(field: NestedField): string {
  const renamed = field.doc === undefined ? null : RENAMED.exec(field.doc);
  if (!renamed) return field.name;
  try {
    return JSON.parse(renamed[1]!) as string;
  } catch {
    return field.name;
  }
}
