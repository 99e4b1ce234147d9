import type { Vector } from '../columns/batch.ts';
import type { LeafPlan } from '../schema/avro-plan.ts';
import type { AvroBound } from './avro-bind.ts';
import { millisToMicros, nanosToMicros, parseUuid, timeMicros, timeText } from './avro-convert.ts';
import type { AvroCursor } from './avro-cursor.ts';
import { avroJsonText } from './avro-json-text.ts';
import { appendBigDecimal, scaledDecimal } from './avro-big-decimal.ts';
import { DateTimeText } from './json-time.ts';
import { putBool, putBytes, putI32, putI64, putList, setValid, slot } from './vectors.ts';

const encoder = new TextEncoder();

/** Reads one value and appends it to its column and all columns below it, or walks over it where it has none. */
export function readValue(bound: AvroBound, cursor: AvroCursor): void {
  cursor.path = bound.path;
  const vector = bound.slot?.vector ?? null;
  const { plan } = bound;
  switch (plan.op) {
    case 'null':
      // The null of a union of nulls has its branch written before it.
      if (plan.node.kind === 'union') cursor.index(plan.node.branches.length, 'union branch');
      vector?.appendNull();
      return;
    case 'leaf':
      return readLeaf(plan, bound, vector, cursor);
    case 'enum': {
      const symbol = bound.symbols[cursor.index(plan.symbols.length, 'enum symbol')]!;
      if (vector) putBytes(vector, symbol, 0, symbol.length);
      return;
    }
    case 'present':
      // Its fields are nulls at most: there may be branches to walk over.
      avroJsonText(plan.node, cursor);
      if (vector) putBool(vector, true);
      return;
    case 'json': {
      const text = plan.scaled === true ? scaledDecimal(cursor) : avroJsonText(plan.node, cursor);
      if (vector) putText(vector, text);
      return;
    }
    case 'optional': {
      const branch = cursor.index(plan.branches, 'union branch');
      if (branch === plan.branch) readValue(bound.children[0]!, cursor);
      else vector?.appendNull();
      return;
    }
    case 'record':
      for (const child of bound.children) readValue(child, cursor);
      endStruct(bound, vector);
      return;
    case 'union': {
      const branch = cursor.index(plan.branches.length, 'union branch');
      if (plan.branches[branch]!.column < 0) {
        vector?.appendNull();
        return;
      }
      for (let i = 0; i < bound.children.length; i++) {
        const child = bound.children[i]!;
        if (i === branch) readValue(child, cursor);
        else child.slot?.vector?.appendNull();
      }
      endStruct(bound, vector);
      return;
    }
    case 'array': {
      const items = bound.children[0]!;
      for (let count = cursor.block(bound.least); count > 0; count = nextBlock(bound, cursor)) {
        while (count-- > 0) readValue(items, cursor);
      }
      if (vector) putList(vector);
      return;
    }
    case 'map': {
      const [values, keys] = [bound.children[0]!, bound.children[1]!];
      for (let count = cursor.block(bound.least); count > 0; count = nextBlock(bound, cursor)) {
        while (count-- > 0) {
          cursor.path = keys.path;
          const start = cursor.text();
          if (vector) putBytes(keys.slot!.vector!, cursor.bytes, start, cursor.p - start);
          readValue(values, cursor);
        }
      }
      if (vector) putList(vector);
    }
  }
}

function nextBlock(bound: AvroBound, cursor: AvroCursor): number {
  cursor.path = bound.path;
  return cursor.block(bound.least);
}

/** The struct's own slot, after those of its children. */
function endStruct(bound: AvroBound, vector: Vector | null): void {
  for (const missing of bound.missing) if (vector) missing.vector!.appendNull();
  if (!vector) return;
  if (vector.length === vector.capacity) vector.reserve(1);
  setValid(vector, vector.length++);
}

function putText(vector: Vector, text: string): void {
  const bytes = encoder.encode(text);
  putBytes(vector, bytes, 0, bytes.length);
}

function readLeaf(plan: LeafPlan, bound: AvroBound, vector: Vector | null, cursor: AvroCursor): void {
  switch (plan.wire) {
    case 'boolean': {
      const value = cursor.boolean();
      if (vector) putBool(vector, value);
      return;
    }
    case 'float':
    case 'double': {
      const wide = plan.wire === 'double';
      const at = cursor.take(wide ? 8 : 4);
      const value = wide ? cursor.view.getFloat64(at, true) : cursor.view.getFloat32(at, true);
      if (!vector) return;
      const i = slot(vector);
      (vector.kind === 'f32' ? vector.f32 : vector.f64)[i] = value;
      vector.length++;
      return;
    }
    case 'int':
      cursor.int();
      return readWhole(plan, vector, cursor);
    case 'long':
      cursor.long();
      return readWhole(plan, vector, cursor);
    default:
      return readBytes(plan, bound, vector, cursor);
  }
}

function readWhole(plan: LeafPlan, vector: Vector | null, cursor: AvroCursor): void {
  if (!vector) return;
  switch (plan.convert) {
    case 'millis-to-micros':
      if (!millisToMicros(cursor)) cursor.outOfRange('the timestamp does not fit in 64 bits of microseconds');
      break;
    case 'nanos-to-micros':
      nanosToMicros(cursor);
      break;
    case 'time-millis':
    case 'time-micros':
    case 'time-millis-text':
    case 'time-micros-text': {
      const millis = plan.convert.startsWith('time-millis');
      const micros = timeMicros(cursor, millis ? 1000 : 1);
      if (micros < 0) cursor.outOfRange('the time of day is not within a day');
      if (vector.kind === 'bytes') putText(vector, timeText(micros, millis ? 3 : 6));
      else putI64(vector, micros | 0, Math.floor(micros / 0x1_0000_0000));
      return;
    }
    default:
      break;
  }
  if (vector.kind === 'i32') putI32(vector, cursor.low);
  else putI64(vector, cursor.low, cursor.high);
}

function readBytes(plan: LeafPlan, bound: AvroBound, vector: Vector | null, cursor: AvroCursor): void {
  const start =
    plan.wire === 'string' ? cursor.text() : cursor.take(plan.wire === 'fixed' ? plan.size : cursor.length());
  const length = cursor.p - start;
  if (!vector) return;
  switch (plan.convert) {
    case 'decimal':
      if (!bound.decimal!.read(cursor.bytes, start, length))
        cursor.outOfRange(`the value has more digits than ${plan.type}`);
      bound.decimal!.append(vector);
      return;
    case 'uuid-text': {
      const i = slot(vector);
      if (!parseUuid(cursor.bytes, start, length, vector.bytes, i * 16)) {
        if (vector.validity) vector.validity[i >> 3]! &= ~(1 << (i & 7));
        cursor.outOfRange('the text is not a UUID');
      }
      vector.length++;
      return;
    }
    case 'date-time-text':
      dateTimeMicros(cursor, start);
      return putI64(vector, cursor.low, cursor.high);
    case 'big-decimal-text':
      return appendBigDecimal(vector, cursor, start, length);
    default:
      putBytes(vector, cursor.bytes, start, length);
  }
}

const dateTime = new DateTimeText();

/** The text from `start` to the cursor as microseconds in `low` and `high`; counts digits that are cut. */
function dateTimeMicros(cursor: AvroCursor, start: number): void {
  if (!dateTime.dateTime(cursor.bytes, start, cursor.p, true)) cursor.outOfRange('the text is no date and time');
  if (dateTime.more || dateTime.nanos % 1000 !== 0) cursor.cut++;
  const micros = BigInt(dateTime.seconds) * 1_000_000n + BigInt(Math.floor(dateTime.nanos / 1000));
  cursor.low = Number(BigInt.asIntN(32, micros));
  cursor.high = Number(micros >> 32n);
}
