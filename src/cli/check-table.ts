import type { TablePlan } from '../config/config.ts';
import type { LoadedTable } from '../iceberg/catalog.ts';
import { currentSchema, defaultSpec } from '../iceberg/metadata.ts';
import type { IcebergType, NestedField } from '../schema/types.ts';
import type { RegistryProbe } from './context.ts';

/** The table that a rule would make or write, and how it differs from the one that is there. */
export interface TablePreview {
  readonly table: string;
  readonly catalog: string;
  readonly topics: readonly string[];
  /** Null: the catalog could not be asked. */
  readonly exists: boolean | null;
  /** Where the columns come from. */
  readonly source: string;
  /** Value columns; null where they are only known from records. */
  readonly columns: readonly { readonly name: string; readonly type: string }[] | null;
  readonly partitionBy: readonly string[];
  readonly changes: readonly string[];
  readonly warnings: readonly string[];
}

export async function previewTable(
  plan: TablePlan,
  existing: LoadedTable | null,
  registry: RegistryProbe | null,
  catalogReached: boolean,
): Promise<TablePreview> {
  const { rule, namespace, name, topics } = plan;
  const avro = rule.value.format === 'avro' || (rule.value.format === 'auto' && registry !== null);
  const found = avro && registry ? await firstSchema(registry, plan) : null;
  const columns = found?.columns ?? null;
  const { current, partitionBy } = existing
    ? describeExisting(existing, rule.metadataColumns)
    : { current: null, partitionBy: rule.partitionBy };
  return {
    table: [...namespace, name].join('.'),
    catalog: rule.catalog,
    topics,
    exists: catalogReached ? existing !== null : null,
    source: found
      ? `registry, subject ${found.subject}, schema ${found.id}`
      : rule.value.format === 'avro'
        ? 'the registry has no schema of the topic yet: taken from the first records'
        : 'inferred from the first records',
    columns: (columns ?? current)?.map((field) => ({ name: field.name, type: typeText(field.type) })) ?? null,
    partitionBy,
    changes: columns && current ? difference(columns, current) : [],
    warnings: warnings(columns ?? current ?? [], rule.timeOfDay, partitionBy, rule.partitionBy),
  };
}

async function firstSchema(
  registry: RegistryProbe,
  { topics, rule }: TablePlan,
): Promise<{ subject: string; id: number | null; columns: readonly NestedField[] } | null> {
  for (const topic of topics) {
    const subject = `${topic}-value`;
    const latest = await registry.latest(subject, rule);
    if (latest) return { subject, id: latest.id, columns: latest.columns.fields };
  }
  return null;
}

function describeExisting(
  { metadata }: LoadedTable,
  metadataColumns: string,
): { current: readonly NestedField[]; partitionBy: readonly string[] } {
  const { fields } = currentSchema(metadata);
  const names = new Map(fields.map((field) => [field.id, field.name]));
  const own = (field: NestedField): boolean =>
    field.name === '_key' || (metadataColumns === 'flat' ? field.name.startsWith('_kafka_') : field.name === '_kafka');
  const spec = defaultSpec(metadata).fields.map(
    (field) => `${field.transform} of ${names.get(field['source-id']) ?? `field ${field['source-id']}`}`,
  );
  return { current: fields.filter((field) => !own(field)), partitionBy: spec };
}

/** What the first records would change, at the top level of the table. */
function difference(wanted: readonly NestedField[], current: readonly NestedField[]): string[] {
  const byName = new Map(current.map((field) => [field.name, field]));
  return wanted.flatMap((field) => {
    const have = byName.get(field.name);
    if (!have) return [`adds column ${field.name} ${typeText(field.type)}`];
    const [from, to] = [typeText(have.type), typeText(field.type)];
    return from === to ? [] : [`column ${field.name} is ${from}, and the schema says ${to}`];
  });
}

function warnings(
  columns: readonly NestedField[],
  timeOfDay: string,
  partitionBy: readonly string[],
  wanted: readonly string[],
): string[] {
  const times =
    timeOfDay === 'time'
      ? columns
          .filter((field) =>
            typeText(field.type)
              .split(/[^a-z_]+/)
              .includes('time'),
          )
          .map((field) => field.name)
      : [];
  return [
    ...(times.length > 0
      ? [
          `Spark cannot load a table with a time column (${times.join(', ')}): set timeOfDay to long or string if Spark is to read it.`,
        ]
      : []),
    ...(partitionBy !== wanted && wanted.length > 0 && partitionBy.length !== wanted.length
      ? [
          `The table exists with ${partitionBy.length} partition fields, and partitionBy names ${wanted.length}: an existing table keeps its own.`,
        ]
      : []),
  ];
}

/** A type on one line: `struct<a: int, b: list<string>>`. */
export function typeText(type: IcebergType): string {
  if (typeof type === 'string') return type;
  if (type.type === 'struct')
    return `struct<${type.fields.map((field) => `${field.name}: ${typeText(field.type)}`).join(', ')}>`;
  if (type.type === 'list') return `list<${typeText(type.element)}>`;
  return `map<${typeText(type.key)}, ${typeText(type.value)}>`;
}
