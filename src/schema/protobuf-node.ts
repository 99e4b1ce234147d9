/** Protobuf types with every name resolved (Protobuf language guide, editions). A recursive type is a cycle of the objects. */
export type ProtoScalar =
  | 'double'
  | 'float'
  | 'int32'
  | 'int64'
  | 'uint32'
  | 'uint64'
  | 'sint32'
  | 'sint64'
  | 'fixed32'
  | 'fixed64'
  | 'sfixed32'
  | 'sfixed64'
  | 'bool'
  | 'string'
  | 'bytes';

export interface ProtoEnum {
  readonly kind: 'enum';
  readonly name: string;
  /** The first name of each number: aliases come after it. */
  readonly names: ReadonlyMap<number, string>;
  /** Number of the value declared first: the default. */
  readonly first: number;
}

export interface ProtoMessage {
  readonly kind: 'message';
  /** Full name without a leading dot. */
  readonly name: string;
  /** In the order of declaration. */
  readonly fields: readonly ProtoField[];
}

export type ProtoType = ProtoScalar | ProtoEnum | ProtoMessage;

export interface ProtoField {
  readonly name: string;
  readonly number: number;
  readonly doc: string | undefined;
  readonly type: ProtoType;
  /**
   * `implicit`: no presence, an absent field has its default value; `optional`: explicit presence, also of messages and
   * of members of a oneof; a map is repeated, with its key's type in `key`.
   */
  readonly rule: 'implicit' | 'optional' | 'required' | 'repeated' | 'map';
  readonly key: ProtoScalar | null;
  /** Encoded as a group (proto2 `group`, editions `DELIMITED`). */
  readonly delimited: boolean;
  /** Name of the oneof that it is a member of; not that of a proto3 `optional`. */
  readonly oneof: string | null;
}

export type WireType = 0 | 1 | 2 | 3 | 4 | 5;

/** How a single value is encoded (Protobuf "Encoding"). */
export function wireTypeOf(type: ProtoType, delimited: boolean): WireType {
  if (typeof type !== 'string') return type.kind === 'enum' ? 0 : delimited ? 3 : 2;
  switch (type) {
    case 'double':
    case 'fixed64':
    case 'sfixed64':
      return 1;
    case 'float':
    case 'fixed32':
    case 'sfixed32':
      return 5;
    case 'string':
    case 'bytes':
      return 2;
    default:
      return 0;
  }
}

/** True where a message contains itself, directly or through others. */
export function isRecursiveMessage(message: ProtoMessage): boolean {
  const seen = new Set<ProtoMessage>();
  const reaches = (from: ProtoMessage): boolean =>
    from.fields.some(({ type }) => {
      if (typeof type === 'string' || type.kind === 'enum') return false;
      if (type === message) return true;
      if (seen.has(type)) return false;
      seen.add(type);
      return reaches(type);
    });
  return reaches(message);
}
