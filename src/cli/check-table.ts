import type { TablePlan } from '../config/config.ts';
import { type LoadedTable, identText } from '../iceberg/catalog.ts';
import { currentSchema, defaultSpec } from '../iceberg/metadata.ts';
import { tableFields } from '../commit/table-fields.ts';
import type { Part } from '../decode/decoder.ts';
import { SCHEMA_TYPES, knownSchemas, writerSchema } from '../ingest/registry-layouts.ts';
import type { SchemaLookup } from '../ingest/registry-layouts.ts';
import { subjectOf } from '../registry/subjects.ts';
import { declaredMessages } from '../schema/protobuf-index.ts';
import { typeText } from '../schema/evolve.ts';
import { keyColumn } from '../schema/evolve-key.ts';
import { deriveChange } from '../schema/derive.ts';
import { UPGRADE, columnsOfV3 } from '../schema/format-version.ts';
import type { WriterFields } from '../schema/derive.ts';
import { allowed, changeText } from '../schema/policy.ts';
import { changeId } from '../schema/waiting-change.ts';
import type { NestedField } from '../schema/types.ts';

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
  /** What the newest registered schema would change of the table that exists, before any record has it. */
  readonly changes: readonly PreviewedChange[];
  readonly warnings: readonly string[];
}

export interface PreviewedChange {
  readonly kind: 'addition' | 'promotion' | 'optional' | 'rename' | 'incompatible' | 'dropped';
  readonly change: string;
  /** What becomes of it under the rules of the table. */
  readonly outcome: string;
  /** A person has to act before, or when, records come. */
  readonly needsPerson: boolean;
}

export async function previewTable(
  plan: TablePlan,
  existing: LoadedTable | null,
  registry: SchemaLookup | null,
  catalogReached: boolean,
): Promise<TablePreview> {
  const { rule, topics } = plan;
  const found = [...(await foundSchemas(registry, plan, 'value')), ...(await foundSchemas(registry, plan, 'key'))];
  const columns = columnsOf(found);
  const { current, partitionBy } = existing
    ? describeExisting(existing, rule.metadataColumns)
    : { current: null, partitionBy: rule.partitionBy };
  return {
    table: identText(plan),
    catalog: rule.catalog,
    topics,
    exists: catalogReached ? existing !== null : null,
    source: found.map(({ source }) => source).join('; ') || (await unknownSource(registry, plan)),
    columns: (columns ?? current)?.map((field) => ({ name: field.name, type: typeText(field.type) })) ?? null,
    partitionBy,
    changes: existing ? found.flatMap(({ writer }) => changesOf(writer, existing, plan)) : [],
    warnings: [
      ...warnings(columns ?? current ?? [], rule.timeOfDay, partitionBy, rule.partitionBy),
      ...nanosWarnings(columns ?? current ?? [], existing),
    ],
  };
}

/** Why nothing is known of the columns before the first records. */
async function unknownSource(registry: SchemaLookup | null, { rule: { value }, topics }: TablePlan): Promise<string> {
  for (const topic of registry && value.format in SCHEMA_TYPES ? topics : []) {
    const subject = subjectOf(value, 'value', topic);
    const schema = subject === null ? null : await registry!.latest(subject);
    if (schema?.type !== 'PROTOBUF') continue;
    const names = declaredMessages(schema.text).map(({ name }) => name);
    if (names.length < 2 || !SCHEMA_TYPES[value.format]!.includes(schema.type)) continue;
    return `registry, subject ${subject}, schema ${schema.id} has several messages (${names.join(', ')}): the first records say which, or \`message\``;
  }
  return value.format !== 'auto' && value.format in SCHEMA_TYPES
    ? 'the registry has no schema of the topic yet: taken from the first records'
    : 'inferred from the first records';
}

interface FoundSchema {
  readonly source: string;
  readonly writer: WriterFields;
}

async function foundSchemas(registry: SchemaLookup | null, plan: TablePlan, part: Part): Promise<FoundSchema[]> {
  const format = plan.rule[part];
  if (!format) return [];
  const known = await knownSchemas(registry, format, part, plan.topics);
  return known.map(({ schema, source, message }) => {
    const { struct, aliases } = writerSchema(schema, plan.rule, format, part, message);
    const place = schema.id === null ? `file ${source}` : `registry, ${source}, schema ${schema.id}`;
    return { source: part === 'key' ? `key: ${place}` : place, writer: { part, struct, aliases } };
  });
}

/** The columns of all schemas of the value, each name once, and `_key`; null where no schema of the value is known. */
function columnsOf(found: readonly FoundSchema[]): NestedField[] | null {
  const ofPart = (part: Part): NestedField[] => {
    const fields = found.flatMap(({ writer }) => (writer.part === part ? writer.struct.fields : []));
    return fields.filter(({ name }, i) => fields.findIndex((other) => other.name === name) === i);
  };
  const keys = ofPart('key');
  if (!found.some(({ writer }) => writer.part === 'value')) return null;
  return [...ofPart('value'), ...(keys.length > 0 ? [keyColumn({ type: 'struct', fields: keys })] : [])];
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

const KINDS = { add: 'addition', widen: 'promotion', optional: 'optional', rename: 'rename' } as const;

/** What the service would do with the first record of this schema, decided by the same rules. */
function changesOf(writer: WriterFields, { metadata }: LoadedTable, plan: TablePlan): PreviewedChange[] {
  const { rule } = plan;
  const derived = deriveChange(tableFields(metadata), writer, rule);
  const { changes, incompatible, dropped, ignored } = derived;
  const refused = incompatible.length > 0;
  const stops = dropped.length > 0 || (refused && rule.onIncompatible === 'stop');
  const waits = !allowed(rule.schemaChanges, changes);
  const approve = `tabletopic approve -c FILE --table ${identText(plan)} --change ${changeId(changes)}`;
  const outcome = stops
    ? 'not made: the table stops'
    : refused
      ? 'not made: the schema does not fit'
      : waits
        ? `waits for approval: ${approve}`
        : 'made with the first record';
  return [
    ...changes
      .filter(({ path }) => !dropped.includes(path))
      .map((change) => ({
        kind: KINDS[change.kind],
        change: changeText(change),
        outcome,
        needsPerson: stops || refused || waits,
      })),
    ...incompatible.map(({ path, from, to }) => ({
      kind: 'incompatible' as const,
      change: `${path}: the table has ${from}, the schema ${to}`,
      outcome: rule.onIncompatible === 'stop' ? 'the table stops' : 'records of this schema become dead letters',
      needsPerson: true,
    })),
    ...dropped.map((path) => ({
      kind: 'dropped' as const,
      change: `${path} was dropped from the table`,
      outcome: 'the table stops (onDropped)',
      needsPerson: true,
    })),
    ...ignored.map((path) => ({
      kind: 'dropped' as const,
      change: `${path} was dropped from the table`,
      outcome: 'its values are not written (onDropped: ignore)',
      needsPerson: false,
    })),
  ];
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

function nanosWarnings(fields: readonly NestedField[], existing: LoadedTable | null): string[] {
  const newer = columnsOfV3({ type: 'struct', fields });
  if (newer.length === 0) return [];
  const version = existing?.metadata['format-version'] ?? 3;
  return version < 3
    ? [`The table has format version ${version}, which has no nanoseconds (${newer.join(', ')}). ${UPGRADE}`]
    : [`Spark cannot load a table with a column of nanoseconds (${newer.join(', ')}).`];
}
