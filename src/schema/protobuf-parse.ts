import type protobuf from 'protobufjs';
import { TabletopicError } from '../errors.ts';
import { declaredMessages, messageAt } from './protobuf-index.ts';
import type { ProtoEnum, ProtoField, ProtoMessage, ProtoScalar, ProtoType } from './protobuf-node.ts';
import { wellKnownProto } from './protobuf-well-known.ts';
import { lib } from './protobufjs.ts';

/** Files that one schema may import, through others. */
const MOST_IMPORTS = 1_000;

const SCALARS: ReadonlySet<string> = new Set<ProtoScalar>([
  'double',
  'float',
  'int32',
  'int64',
  'uint32',
  'uint64',
  'sint32',
  'sint64',
  'fixed32',
  'fixed64',
  'sfixed32',
  'sfixed64',
  'bool',
  'string',
  'bytes',
]);

/** A file with everything that it imports. */
export interface ProtoFile {
  /** By full name; null: neither the file nor what it imports has the message. */
  message(name: string): ProtoMessage | null;
}

/** The message of a record: by full name (short where there is only one of it), or by message index; null: the first of the file. */
export type MessageChoice = string | readonly number[] | null;

/**
 * Parses the text of a .proto file. Imports are taken from `references` (import path to text), then from the files that
 * every Protobuf installation has; one that is in neither matters only if a type of it is used.
 *
 * @throws SCHEMA_UNSUPPORTED where the text is not a valid schema or a type is missing; the message says where.
 */
export function parseProtobuf(
  text: string,
  references: Readonly<Record<string, string>> = {},
  choice: MessageChoice = null,
): { file: ProtoFile; message: ProtoMessage } {
  const root = new (lib().Root)();
  const missing: string[] = [];
  try {
    const { package: packageName } = addFiles(root, text, references, missing);
    root.resolveAll();
    const nodes = new Nodes(root);
    const prefix = packageName ? `${packageName}.` : '';
    return { file: nodes, message: nodes.chosen(choice, text, prefix) };
  } catch (cause) {
    if (cause instanceof TabletopicError) throw cause;
    const absent = missing.length > 0 ? `; imports that are not among the references: ${missing.join(', ')}` : '';
    throw new TabletopicError('SCHEMA_UNSUPPORTED', `Invalid Protobuf schema: ${reasonOf(cause)}${absent}`, { cause });
  }
}

function addFiles(
  root: protobuf.Root,
  text: string,
  references: Readonly<Record<string, string>>,
  missing: string[],
): protobuf.IParserResult {
  const options = { keepCase: true, alternateCommentMode: true, preferTrailingComment: true };
  const main = lib().parse(text, root, options);
  const imported = new Set<string>();
  const queue = [...(main.imports ?? []), ...(main.weakImports ?? [])];
  for (const name of queue) {
    if (imported.has(name)) continue;
    imported.add(name);
    if (imported.size > MOST_IMPORTS) throw new Error(`it imports more than ${MOST_IMPORTS} files`);
    const found = Object.hasOwn(references, name) ? references[name]! : wellKnownProto(name);
    if (found === null) {
      missing.push(name);
      continue;
    }
    const file = lib().parse(found, root, options);
    queue.push(...(file.imports ?? []), ...(file.weakImports ?? []));
  }
  return main;
}

class Nodes implements ProtoFile {
  readonly #root: protobuf.Root;
  readonly #messages = new Map<protobuf.Type, ProtoMessage>();
  readonly #enums = new Map<protobuf.Enum, ProtoEnum>();

  constructor(root: protobuf.Root) {
    this.#root = root;
  }

  message(name: string): ProtoMessage | null {
    const found = name === '' ? null : this.#root.lookup(name.startsWith('.') ? name : `.${name}`, [lib().Type]);
    return found instanceof lib().Type ? this.#message(found) : null;
  }

  chosen(choice: MessageChoice, text: string, prefix: string): ProtoMessage {
    if (typeof choice === 'string') {
      const found = this.message(choice) ?? this.message(`${prefix}${choice}`);
      if (!found) throw new Error(`it has no message ${choice}`);
      return found;
    }
    const path = choice ?? [0];
    const name = messageAt(declaredMessages(text), path);
    const found = name === null ? null : this.message(`${prefix}${name}`);
    if (!found) throw new Error(`it has no message at index [${path.join(', ')}]`);
    return found;
  }

  #message(type: protobuf.Type): ProtoMessage {
    const known = this.#messages.get(type);
    if (known) return known;
    const fields: ProtoField[] = [];
    const message: ProtoMessage = { kind: 'message', name: type.fullName.replace(/^\./, ''), fields };
    this.#messages.set(type, message);
    for (const field of type.fieldsArray) fields.push(this.#field(field));
    return message;
  }

  #field(field: protobuf.Field): ProtoField {
    const type = this.#type(field);
    const isMessage = typeof type !== 'string' && type.kind === 'message';
    const oneof = field.partOf && field.getOption('proto3_optional') !== true ? field.partOf.name : null;
    const comment = typeof field.comment === 'string' && field.comment !== '' ? field.comment : undefined;
    const presence = isMessage || field.hasPresence;
    return {
      // An extension stands in the message under its full name.
      name: field.name.replace(/^\./, ''),
      number: field.id,
      doc: comment,
      type,
      rule: field.map
        ? 'map'
        : field.repeated
          ? 'repeated'
          : field.required
            ? 'required'
            : presence
              ? 'optional'
              : 'implicit',
      key: field instanceof lib().MapField ? (field.keyType as ProtoScalar) : null,
      delimited: isMessage && !field.map && field.delimited,
      oneof,
    };
  }

  #type(field: protobuf.Field): ProtoType {
    const { resolvedType } = field;
    if (resolvedType instanceof lib().Type) return this.#message(resolvedType);
    if (resolvedType instanceof lib().Enum) return this.#enum(resolvedType);
    if (SCALARS.has(field.type)) return field.type as ProtoScalar;
    throw new Error(`the type ${field.type} of ${field.fullName} is not known`);
  }

  #enum(type: protobuf.Enum): ProtoEnum {
    const known = this.#enums.get(type);
    if (known) return known;
    const names = new Map<number, string>();
    let first: number | null = null;
    for (const [name, number] of Object.entries(type.values)) {
      first ??= number;
      if (!names.has(number)) names.set(number, name);
    }
    const node: ProtoEnum = { kind: 'enum', name: type.fullName.replace(/^\./, ''), names, first: first ?? 0 };
    this.#enums.set(type, node);
    return node;
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
