import { kafkaFieldIds, kafkaFields } from '../columns/metadata-columns.ts';
import type { TableState } from '../commit/commit.ts';
import { parsePartitionTerm } from '../config/partition-term.ts';
import type { TablePlan } from '../config/config.ts';
import { TabletopicError } from '../errors.ts';
import { type CreateTableRequest, identText } from '../iceberg/catalog.ts';
import { currentSchema, defaultSpec } from '../iceberg/metadata.ts';
import type { PartitionField } from '../iceberg/metadata.ts';
import type { Layout } from '../pipeline/messages.ts';
import { MAPPING_VERSION, assignIds } from '../schema/evolve.ts';
import { keyColumn } from '../schema/evolve-key.ts';
import type { NestedField, StructType } from '../schema/types.ts';

/** Version of the type mapping, pinned per table, so that an upgrade never changes a table's types. */
const MAPPING_PROPERTY = 'tabletopic.mapping-version';

const FIRST_PARTITION_FIELD_ID = 1000;

/** The request that creates a table for values of this struct (field ids 0), and keys where their fields are known. */
export function createRequest(
  plan: TablePlan,
  struct: StructType,
  keyStruct: StructType | null = null,
): CreateTableRequest {
  const { rule } = plan;
  const value = rule.required ? struct.fields : struct.fields.map((field) => ({ ...field, required: false }));
  const key = keyStruct && keyStruct.fields.length > 0 ? [keyColumn(keyStruct)] : [];
  const { struct: numbered } = assignIds(
    { type: 'struct', fields: [...value, ...key, ...kafkaFields(rule.metadataColumns)] },
    1,
  );
  const schema = { ...numbered, 'schema-id': 0 };
  return {
    schema,
    spec: { 'spec-id': 0, fields: partitionFields(plan, schema) },
    properties: {
      'format-version': String(rule.formatVersion),
      'write.parquet.compression-codec': rule.compression === 'none' ? 'uncompressed' : rule.compression,
      'write.target-file-size-bytes': String(rule.targetFileSize),
      ...Object.fromEntries(
        metricsColumns(schema).map((column) => [`write.metadata.metrics.column.${column}`, 'full']),
      ),
      [MAPPING_PROPERTY]: String(MAPPING_VERSION),
      ...rule.properties,
    },
    ...(rule.location === null ? {} : { location: rule.location }),
  };
}

export function layoutOf(state: TableState, plan: TablePlan): Layout {
  const { metadata } = state.table;
  const schema = currentSchema(metadata);
  const spec = defaultSpec(metadata);
  return {
    schema,
    specId: spec['spec-id'],
    partition: spec.fields.map((field) => ({
      fieldId: field['field-id'],
      sourceId: field['source-id'],
      name: field.name,
      transform: field.transform,
    })),
    fullMetrics: kafkaFieldIds(schema, plan.rule.metadataColumns),
  };
}

/** `<column>_day`, `<column>_bucket` …, with a suffix where a column or another partition field has the name. */
function partitionFields(plan: TablePlan, schema: StructType): PartitionField[] {
  const taken = new Set(schema.fields.map((field) => field.name));
  return plan.rule.partitionBy.map((text, index) => {
    const term = parsePartitionTerm(text)!;
    const source = findColumn(schema, term.column.split('.'));
    if (!source) {
      throw new TabletopicError(
        'CONFIG_INVALID',
        `${plan.rule.path}.partitionBy[${index}]: the table has no column ${term.column}`,
        {
          hint: `Its columns are ${schema.fields.map((field) => field.name).join(', ')}.`,
          where: { key: `${plan.rule.path}.partitionBy[${index}]`, table: identText(plan) },
        },
      );
    }
    const base = term.transform === 'identity' ? term.column : `${term.column}_${/^[a-z]+/.exec(term.transform)![0]}`;
    let name = base;
    // An identity field may bear its column's own name (Iceberg spec, Partitioning); any other may not.
    for (let n = 2; taken.has(name) && !(term.transform === 'identity' && name === source.name); n++)
      name = `${base}_${n}`;
    taken.add(name);
    return { 'source-id': source.id, 'field-id': FIRST_PARTITION_FIELD_ID + index, name, transform: term.transform };
  });
}

function findColumn(struct: StructType, path: readonly string[]): NestedField | null {
  const field =
    struct.fields.find(({ name }) => name === path.join('.')) ?? struct.fields.find(({ name }) => name === path[0]);
  if (!field || field.name === path.join('.')) return field ?? null;
  return typeof field.type !== 'string' && field.type.type === 'struct' ? findColumn(field.type, path.slice(1)) : null;
}

/** Dotted names of the columns that `verify` and engines prune by. */
function metricsColumns(schema: StructType): string[] {
  const struct = schema.fields.find((field) => field.name === '_kafka');
  const nested = struct && typeof struct.type !== 'string' && struct.type.type === 'struct';
  return nested
    ? ['_kafka.partition', '_kafka.offset', '_kafka.timestamp']
    : ['_kafka_partition', '_kafka_offset', '_kafka_timestamp'].filter((name) =>
        schema.fields.some((field) => field.name === name),
      );
}
