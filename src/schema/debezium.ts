import type { AvroField, AvroNode, AvroRecord } from './avro-node.ts';
import { parseAvro } from './avro-parse.ts';
import { convertAvroNode } from './avro.ts';
import type { AvroOptions } from './avro.ts';
import type { RecordPlan, UnionPlan } from './avro-plan.ts';
import { columnDoc } from './names.ts';
import type { NestedField, StructType } from './types.ts';

/** The column of what is not the row: operation, source position, times, transaction. */
export const DEBEZIUM_COLUMN = '_debezium';

export interface ConvertedDebezium {
  /** The columns of the row's image, and after them `_debezium`; ids 0. */
  readonly struct: StructType;
  readonly aliases: Readonly<Record<string, readonly string[]>>;
  /** Of the image: what follows the branch of `before` or `after`. */
  readonly image: { readonly plan: RecordPlan | UnionPlan; readonly node: AvroRecord } | null;
  /** The envelope as it stands in the bytes, `before` and `after` without columns; of a record that is no envelope all of it. */
  readonly rest: RecordPlan | UnionPlan;
  readonly envelope: AvroRecord | null;
}

/**
 * Converts the Avro schema of a Debezium topic: the fields of the row's image are the table's columns, all others of the
 * envelope are the struct `_debezium`. A record that is no envelope (heartbeats, schema changes, transactions, records that
 * a transform has unwrapped already) is converted as it is.
 *
 * @throws as `convertAvro`.
 */
export function convertDebezium(
  text: string,
  references: Readonly<Record<string, string>>,
  options: AvroOptions,
  part: 'value' | 'key' = 'value',
): ConvertedDebezium {
  const connect: AvroOptions = { ...options, connect: true };
  const node = parseAvro(text, references);
  const imageNode = part === 'value' ? imageOf(node) : null;
  if (!imageNode) {
    const { struct, aliases, plan } = convertAvroNode(node, connect);
    return { struct, aliases, image: null, rest: plan, envelope: null };
  }
  const envelope = node as AvroRecord;
  const image = convertAvroNode(imageNode, connect);
  const skipped = new Set(envelope.fields.filter(({ name }) => name === 'before' || name === 'after'));
  const rest = convertAvroNode(envelope, connect, skipped);
  const column: NestedField = {
    id: 0,
    name: DEBEZIUM_COLUMN,
    required: false,
    type: rest.struct,
    doc: 'Operation and source of the change',
  };
  return {
    struct: { type: 'struct', fields: [...image.struct.fields.map(renamed), column] },
    aliases: image.aliases,
    image: { plan: image.plan, node: imageNode },
    rest: rest.plan,
    envelope,
  };
}

/** A field of the row that has the name of the column. */
function renamed(field: NestedField): NestedField {
  if (field.name.toLowerCase() !== DEBEZIUM_COLUMN) return field;
  const name = `${field.name}_2`;
  return { ...field, name, doc: columnDoc(field.name, name, field.doc)! };
}

/** The record that `before` and `after` of an envelope have in common, or null: not an envelope. */
function imageOf(node: AvroNode): AvroRecord | null {
  if (node.kind !== 'record') return null;
  const field = (name: string): AvroField | undefined => node.fields.find((one) => one.name === name);
  const [after, op] = [field('after'), field('op')];
  return after && op ? (recordIn((field('before') ?? after).node) ?? recordIn(after.node)) : null;
}

function recordIn(node: AvroNode): AvroRecord | null {
  if (node.kind === 'record') return node;
  return node.kind === 'union' ? (node.branches.find((branch) => branch.kind === 'record') ?? null) : null;
}
