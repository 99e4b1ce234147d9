/**
 * A parsed Avro schema with every name resolved (Avro 1.12, "Schema Declaration"). A recursive type is a cycle of the
 * objects.
 */
export type AvroNode = AvroPrimitive | AvroFixed | AvroEnum | AvroRecord | AvroArray | AvroMap | AvroUnion;

export interface AvroLogical {
  readonly name: string;
  readonly precision: number;
  readonly scale: number;
}

export interface AvroPrimitive {
  readonly kind: 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string';
  readonly logical: AvroLogical | null;
}
export interface AvroFixed {
  readonly kind: 'fixed';
  readonly name: string;
  readonly size: number;
  readonly logical: AvroLogical | null;
}
export interface AvroEnum {
  readonly kind: 'enum';
  readonly name: string;
  readonly symbols: readonly string[];
}
export interface AvroRecord {
  readonly kind: 'record';
  readonly name: string;
  readonly fields: AvroField[];
}
export interface AvroArray {
  readonly kind: 'array';
  readonly items: AvroNode;
}
export interface AvroMap {
  readonly kind: 'map';
  readonly values: AvroNode;
}
export interface AvroUnion {
  readonly kind: 'union';
  readonly branches: readonly AvroNode[];
}

export interface AvroField {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly doc: string | undefined;
  readonly node: AvroNode;
}

/** A short schema can use a record any number of times; and decoders ask for each list. */
const leastOfRecords = new WeakMap<AvroRecord, number>();

/** Fewest bytes that a value takes: what bounds the number of items that bytes can hold. Recursion counts as 0. */
export function leastBytes(node: AvroNode): number {
  switch (node.kind) {
    case 'null':
      return 0;
    case 'float':
      return 4;
    case 'double':
      return 8;
    case 'fixed':
      return node.size;
    case 'record': {
      const known = leastOfRecords.get(node);
      if (known !== undefined) return known;
      leastOfRecords.set(node, 0);
      const least = node.fields.reduce((sum, field) => sum + leastBytes(field.node), 0);
      leastOfRecords.set(node, least);
      return least;
    }
    default:
      return 1;
  }
}

/** True where a record contains itself, directly or through others. */
export function isRecursive(record: AvroRecord): boolean {
  const seen = new Set<AvroNode>();
  const reaches = (node: AvroNode): boolean => {
    if (seen.has(node)) return node === record;
    seen.add(node);
    switch (node.kind) {
      case 'record':
        return node.fields.some((field) => field.node === record || reaches(field.node));
      case 'array':
        return node.items === record || reaches(node.items);
      case 'map':
        return node.values === record || reaches(node.values);
      case 'union':
        return node.branches.some((branch) => branch === record || reaches(branch));
      default:
        return false;
    }
  };
  return reaches(record);
}
