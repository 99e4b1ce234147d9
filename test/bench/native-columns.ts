import { ColumnBatch } from '../../src/columns/batch.ts';
import type { Vector } from '../../src/columns/batch.ts';
import type { IcebergType, NestedField, Schema } from '../../src/schema/types.ts';

/** Rows of a batch, as workers hand them to the encoder. */
const BATCH_ROWS = 4096;
const BASE_MICROS = 1_767_225_600_000_000;
const EVENT_TYPES = ['page_view', 'click', 'add_to_cart', 'purchase', 'search', 'login', 'logout', 'refund'];
const COUNTRIES = ['US', 'DE', 'FR', 'GB', 'JP', 'BR', 'IN', 'CA', 'AU', 'SE', 'NL', 'ES', 'IT', 'PL', 'MX', 'KR'];

export type Shape = 'events' | 'hundred' | 'strings' | 'lists';

export const shapes: readonly Shape[] = ['events', 'hundred', 'strings', 'lists'];

/** Columns of one shape, in memory: what is encoded again and again. */
export interface Columns {
  readonly schema: Schema;
  readonly batches: readonly ColumnBatch[];
}

/**
 * `events`: the ten fields of the load generator (test/gen), with its ranges and lengths. `hundred`: ten times these;
 * `strings`: texts of about 150 letters, no two alike; `lists`: lists of structs and of numbers. The first column is the row's number.
 */
export function columnsOf(shape: Shape, rows: number): Columns {
  const random = randomWords(1);
  const { fields, append } = SHAPES[shape];
  const schema: Schema = { type: 'struct', 'schema-id': 0, fields };
  const batches: ColumnBatch[] = [];
  for (let first = 0; first < rows; first += BATCH_ROWS) {
    const batch = new ColumnBatch(schema);
    for (let row = first; row < Math.min(rows, first + BATCH_ROWS); row++, batch.rows++) append(batch, row, random);
    batches.push(batch);
  }
  return { schema, batches };
}

type Random = () => number;
type Append = (batch: ColumnBatch, row: number, random: Random) => void;

/** Optional, as the columns of a table are unless it is told otherwise. */
const field = (id: number, name: string, type: IcebergType): NestedField => ({ id, name, type, required: false });

function eventFields(from: number, suffix: string): NestedField[] {
  const types = {
    id: 'long',
    event_time: 'timestamptz',
    user_id: 'string',
    session_id: 'string',
    event_type: 'string',
  };
  const more = { country: 'string', url: 'string', amount: 'double', quantity: 'int', active: 'boolean' };
  return Object.entries({ ...types, ...more }).map(([name, type], i) =>
    field(from + i, name + suffix, type as IcebergType),
  );
}

function appendEvent(columns: readonly Vector[], at: number, row: number, random: Random): void {
  const type = EVENT_TYPES[random() & 7]!;
  putLong(columns[at]!, row);
  putLong(columns[at + 1]!, BASE_MICROS + row * 10_000 + (random() % 7) * 1000);
  putText(columns[at + 2]!, `user-${String(random() % 200_000).padStart(8, '0')}`);
  putText(columns[at + 3]!, hex(random()) + hex(random()) + hex(random()) + hex(random()));
  putText(columns[at + 4]!, type);
  putText(columns[at + 5]!, COUNTRIES[random() & 15]!);
  putText(columns[at + 6]!, `https://shop.example.com/products/${random() % 50_000}?ref=${type}`);
  putDouble(columns[at + 7]!, (random() % 1_000_000) / 100);
  putInt(columns[at + 8]!, (random() % 9) + 1);
  const active = columns[at + 9]!;
  const i = present(active);
  active.bits[i >> 3]! |= (random() & 1) << (i & 7);
}

function appendText(vector: Vector, random: Random): void {
  let text = '';
  for (let words = 30 + (random() % 20); words > 0; words--) text += `${(random() % 5000).toString(36)} `;
  putText(vector, text);
}

function appendLists(batch: ColumnBatch, row: number, random: Random): void {
  const [id, items, numbers] = batch.columns as [Vector, Vector, Vector];
  putLong(id, row);
  if (random() % 10 === 0) items.appendNull();
  else {
    const item = items.children[0]!;
    const [sku, count] = item.children as [Vector, Vector];
    for (let n = random() % 5; n > 0; n--) {
      present(item);
      putText(sku, `sku-${random() % 20_000}`);
      if (random() % 8 === 0) count.appendNull();
      else putInt(count, random() % 100);
    }
    endList(items);
  }
  const number = numbers.children[0]!;
  for (let n = random() % 8; n > 0; n--) putDouble(number, random() / 1e6);
  endList(numbers);
}

const SHAPES: Readonly<Record<Shape, { fields: readonly NestedField[]; append: Append }>> = {
  events: {
    fields: eventFields(1, ''),
    append: (batch, row, random) => appendEvent(batch.columns, 0, row, random),
  },
  hundred: {
    fields: Array.from({ length: 10 }, (_, n) => eventFields(1 + n * 10, `_${n}`)).flat(),
    append: (batch, row, random) => {
      for (let n = 0; n < 100; n += 10) appendEvent(batch.columns, n, row, random);
    },
  },
  strings: {
    fields: [field(1, 'id', 'long'), field(2, 'text', 'string')],
    append: (batch, row, random) => {
      putLong(batch.columns[0]!, row);
      appendText(batch.columns[1]!, random);
    },
  },
  lists: {
    fields: [
      field(1, 'id', 'long'),
      field(2, 'items', {
        type: 'list',
        'element-id': 4,
        'element-required': false,
        element: { type: 'struct', fields: [field(5, 'sku', 'string'), field(6, 'count', 'int')] },
      }),
      field(3, 'numbers', { type: 'list', 'element-id': 7, 'element-required': false, element: 'double' }),
    ],
    append: appendLists,
  },
};

/** The slot of one more present value; arrays must be read after it, which may replace them. */
function present(vector: Vector): number {
  const i = vector.length;
  if (i === vector.capacity) vector.reserve(1);
  vector.validity![i >> 3]! |= 1 << (i & 7);
  vector.length++;
  return i;
}

function putInt(vector: Vector, value: number): void {
  const i = present(vector);
  vector.i32[i] = value;
}

function putDouble(vector: Vector, value: number): void {
  const i = present(vector);
  vector.f64[i] = value;
}

/** The elements since the last list are one more list. */
function endList(list: Vector): void {
  const i = present(list);
  list.offsets[i + 1] = list.children[0]!.length;
}

function putLong(vector: Vector, value: number): void {
  const i = present(vector);
  vector.i32[2 * i] = value | 0;
  vector.i32[2 * i + 1] = Math.floor(value / 2 ** 32);
}

/** ASCII only. */
function putText(vector: Vector, text: string): void {
  vector.reserveBytes(text.length);
  const i = present(vector);
  const at = vector.offsets[i]!;
  for (let c = 0; c < text.length; c++) vector.bytes[at + c] = text.charCodeAt(c);
  vector.offsets[i + 1] = at + text.length;
}

function hex(word: number): string {
  return word.toString(16).padStart(8, '0');
}

/** Evenly spread words below 2^32, the same in every run (splitmix32). */
function randomWords(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
}
