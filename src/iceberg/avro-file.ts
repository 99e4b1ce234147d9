import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { deflateRaw, inflateRaw, zstdDecompress } from 'node:zlib';
import avro from 'avsc';
import { TabletopicError } from '../errors.ts';
import { avroName } from './avro-names.ts';
import { longType } from './avro-long.ts';

/** Avro object container files (Avro specification 1.12, "Object Container Files"), whole in memory. */

const MAGIC = Buffer.from('Obj\x01', 'latin1');
const BLOCK_BYTES = 64 * 1024;
const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);
const unzstd = promisify(zstdDecompress);

export interface AvroField {
  readonly name: string;
  readonly type: unknown;
  readonly 'field-id'?: number;
}

export interface AvroRecordSchema {
  readonly type: 'record';
  readonly name: string;
  readonly fields: readonly AvroField[];
}

export interface AvroFile {
  readonly metadata: ReadonlyMap<string, string>;
  readonly schema: AvroRecordSchema;
  readonly records: readonly Record<string, unknown>[];
}

interface Compiled {
  readonly schema: AvroRecordSchema;
  readonly type: avro.Type;
}

/** Compiled types by schema text: compiling one takes longer than reading a small manifest. */
const encoders = new Map<string, Compiled>();
const decoders = new Map<string, Compiled>();
const MOST_COMPILED = 64;

function compiled(
  known: Map<string, Compiled>,
  text: string,
  schema: AvroRecordSchema,
  isLong: (part: unknown) => boolean,
): Compiled {
  const found = known.get(text);
  if (found !== undefined) return found;
  const type = avro.Type.forSchema(schema as never, {
    typeHook: (part) => (isLong(part) ? longType : undefined) as never,
  });
  if (known.size === MOST_COMPILED) known.delete(known.keys().next().value!);
  const made = { schema, type };
  known.set(text, made);
  return made;
}

/** A value and where it ends; undefined where the buffer ends before it does. */
interface Decoded<T> {
  readonly value: T | undefined;
  readonly offset: number;
}

/**
 * Encodes records with the deflate codec, block by block, giving way to other work between blocks. Attributes of the
 * schema that Avro does not know (`field-id`) stay in the header. Where the schema has a long as an object (`wideLong`, or
 * a logical type), values are bigint; where it is the word `long`, numbers.
 */
export async function encodeAvro(
  schema: AvroRecordSchema,
  metadata: Readonly<Record<string, string>>,
  records: Iterable<Record<string, unknown>>,
): Promise<Uint8Array> {
  const text = JSON.stringify(schema);
  const isWide = (part: unknown): boolean => (part as { type?: unknown } | null)?.type === 'long';
  const { type } = compiled(encoders, text, schema, isWide);
  const head = header({ ...metadata, 'avro.schema': text, 'avro.codec': 'deflate' });
  // The marker only has to be unlikely in the data; a digest keeps the same input the same file.
  const sync = createHash('md5').update(head).digest();
  const out: Uint8Array[] = [head, sync];
  let block: Uint8Array[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    const packed = await deflate(Buffer.concat(block));
    out.push(varint(block.length), varint(packed.length), packed, sync);
    block = [];
    bytes = 0;
  };
  for (const record of records) {
    const encoded = type.toBuffer(record);
    block.push(encoded);
    bytes += encoded.length;
    if (bytes >= BLOCK_BYTES) await flush();
  }
  if (block.length > 0) await flush();
  return Buffer.concat(out);
}

/**
 * Reads a container file of any writer. Longs are numbers, and bigint beyond 2^53.
 *
 * @throws TabletopicError `CATALOG_REFUSED` when the bytes are no Avro file or the codec is unknown.
 */
export async function decodeAvro(bytes: Uint8Array, location: string): Promise<AvroFile> {
  const bad = (reason: string): TabletopicError =>
    new TabletopicError('CATALOG_REFUSED', `${location} is not a readable Avro file: ${reason}`, {
      hint: 'The metadata file is damaged or of an unknown kind.',
      where: { location },
    });
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length < 4 || !buffer.subarray(0, 4).equals(MAGIC)) throw bad('it does not begin with "Obj"');
  const { value: meta, offset } = headerType.decode(buffer, 4) as Decoded<{ meta: Record<string, Buffer> }>;
  if (meta === undefined) throw bad('the header is cut off');
  const metadata = new Map(Object.entries(meta.meta).map(([key, value]) => [key, value.toString('utf8')]));
  const text = metadata.get('avro.schema') ?? 'null';
  const parsed = decoders.get(text)?.schema ?? (validNames(JSON.parse(text)) as AvroRecordSchema | null);
  if (parsed?.type !== 'record') throw bad('its schema is no record');
  const codec = metadata.get('avro.codec') ?? 'null';
  const isLong = (part: unknown): boolean => part === 'long' || (part as { type?: unknown } | null)?.type === 'long';
  const { type, schema } = compiled(decoders, text, parsed, isLong);
  const records: Record<string, unknown>[] = [];
  let at = offset;
  while (at < buffer.length) {
    const count = blockType.decode(buffer, at) as Decoded<{ count: number; length: number }>;
    if (count.value === undefined || count.offset + count.value.length + 16 > buffer.length)
      throw bad('a block is cut off');
    const packed = buffer.subarray(count.offset, count.offset + count.value.length);
    const block =
      codec === 'null'
        ? packed
        : codec === 'deflate'
          ? await inflate(packed)
          : codec === 'zstandard'
            ? await unzstd(packed)
            : null;
    if (block === null) throw bad(`codec ${codec} is not supported (null, deflate and zstandard are)`);
    let position = 0;
    for (let i = 0; i < count.value.count; i++) {
      const { value, offset: next } = type.decode(block, position) as Decoded<Record<string, unknown>>;
      if (value === undefined) throw bad('a block ends inside a record');
      records.push(value);
      position = next;
    }
    at = count.offset + count.value.length + 16;
  }
  return { metadata, schema, records };
}

const headerType = avro.Type.forSchema({
  type: 'record',
  name: 'header',
  fields: [
    { name: 'meta', type: { type: 'map', values: 'bytes' } as never },
    { name: 'sync', type: { type: 'fixed', name: 'sync', size: 16 } as never },
  ],
});
const blockType = avro.Type.forSchema({
  type: 'record',
  name: 'block',
  fields: [
    { name: 'count', type: 'long' },
    { name: 'length', type: 'long' },
  ],
});

function header(metadata: Readonly<Record<string, string>>): Buffer {
  const meta = Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, Buffer.from(value)]));
  const encoded = headerType.toBuffer({ meta, sync: Buffer.alloc(16) });
  return Buffer.concat([MAGIC, encoded.subarray(0, encoded.length - 16)]);
}

const plainLong = avro.Type.forSchema('long');
const varint = (value: number): Uint8Array => plainLong.toBuffer(value);

/** Some writers leave column names as they are in the partition tuple; readers go by field id, so that any valid name does. */
function validNames(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(validNames);
  if (typeof schema !== 'object' || schema === null) return schema;
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'fields' && Array.isArray(value)) {
      copy[key] = value.map((field: AvroField) => ({
        ...field,
        name: avroName(field.name),
        type: validNames(field.type),
      }));
    } else if (key === 'type' || key === 'items' || key === 'values') copy[key] = validNames(value);
    else if (key !== 'default' && key !== 'aliases') copy[key] = value;
  }
  return copy;
}
