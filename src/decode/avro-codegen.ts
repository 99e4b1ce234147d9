import type { LeafPlan } from '../schema/avro-plan.ts';
import { storageOf } from '../columns/batch.ts';
import type { AvroBinding, AvroBound } from './avro-bind.ts';
import type { Slot } from './slots.ts';

/** Fields of one generated function: V8 does not optimise functions beyond 61,440 bytes of bytecode. */
const FIELDS_PER_FUNCTION = 64;
/** A union of more branches is left to the interpreted decoder: its code grows with their square. */
const MOST_BRANCHES = 16;

export interface AvroCode {
  readonly source: string;
  /** Vectors outside of lists, which the code writes by row number. */
  readonly flat: readonly Slot[];
  /** Values that the code leaves to `readValue`: lists, maps, and what is rare. */
  readonly parts: readonly AvroBound[];
}

/**
 * The source of a decoder for one binding, over a fixed template. Only numbers enter it: no name and no symbol of a
 * schema. The code gives up (-1) on any record that is not plainly right, and the interpreted decoder judges that one,
 * so that reasons are made in one place only. It may read up to the end of the buffer behind a record that is cut
 * short, never writes outside of its row, and finds out at the latest where the record must end.
 *
 * Names in the code: b, dv bytes and view of the source; p position; end of the record; r row; c cursor. For slot n:
 * vN vector, nN validity, iN, fN, tN, oN, yN the arrays i32, f32 or f64, bits, offsets, bytes, dN view of the bytes, kN
 * their capacity.
 *
 * Null where the schema has a construct that is not worth code.
 */
export function avroCode(binding: AvroBinding): AvroCode | null {
  const writer = new Writer();
  return writer.all(binding);
}

class Writer {
  readonly #flat = new Set<Slot>();
  readonly #parts: AvroBound[] = [];
  readonly #functions: string[] = [];
  #refused = false;

  all(binding: AvroBinding): AvroCode | null {
    const { root } = binding;
    const body = this.#fields(root.children) + (root.slot ? this.#present(root.slot) : '');
    this.#functions.push(functionText(this.#functions.length, body));
    if (this.#refused) return null;
    const flat = [...this.#flat];
    const last = this.#functions.length - 1;
    const source = `'use strict';
const { long: L, text: X, copy: Y, grow: G, millisToMicros: M, nanosToMicros: Q, parseUuid: U, timeMicros: H, readValue: V } = rt;
let ${flat.map(({ index: n }) => `v${n},n${n},i${n},f${n},t${n},o${n},y${n},d${n},k${n}`).join(',') || '_'};
${this.#functions.join('\n')}
const attach = () => {
${flat.map(({ index: n }) => `v${n}=slots[${n}].vector;n${n}=v${n}.validity;i${n}=v${n}.i32;f${n}=v${n}.kind==='f32'?v${n}.f32:v${n}.f64;t${n}=v${n}.bits;o${n}=v${n}.offsets;y${n}=v${n}.bytes;d${n}=new DataView(y${n}.buffer,y${n}.byteOffset,y${n}.byteLength);k${n}=v${n}.byteCapacity;`).join('\n')}
};
const run = (source, from, to, base) => {
  const b = source.bytes, dv = source.view, starts = source.payloadStart, lengths = source.payloadLength;
  for (let i = from; i < to; i++) {
    const n = lengths[i];
    at.i = i;
    at.cut = c.cut;
    if (n < 0) return i;
    const p = starts[i], end = p + n;
    ${this.#parts.length > 0 ? 'c.open(b, dv, p, end);' : ''}
    if (f${last}_(b, dv, p, end, base + i - from) !== end) return i;
  }
  return to;
};
return { attach, run };`;
    return { source, flat, parts: this.#parts };
  }

  /** Statements for fields in order: inline, or in functions of their own where there are many. */
  #fields(fields: readonly AvroBound[]): string {
    const total = fields.reduce((sum, field) => sum + leaves(field), 0);
    if (total <= FIELDS_PER_FUNCTION) return fields.map((field) => this.#value(field)).join('');
    const groups: AvroBound[][] = [];
    let size = Infinity;
    for (const field of fields) {
      const count = leaves(field);
      if (size + count > FIELDS_PER_FUNCTION) {
        groups.push([]);
        size = 0;
      }
      groups.at(-1)!.push(field);
      size += count;
    }
    return groups
      .map((group) => {
        const body = group.map((field) => this.#value(field)).join('');
        this.#functions.push(functionText(this.#functions.length, body));
        return `p=f${this.#functions.length - 1}_(b,dv,p,end,r);if(p<0)return -1;`;
      })
      .join('');
  }

  #value(bound: AvroBound): string {
    const { plan, slot } = bound;
    switch (plan.op) {
      case 'null':
        return plan.node.kind === 'union' ? this.#part(bound) : '';
      case 'leaf':
        return slot ? this.#leaf(plan, bound, slot) : this.#part(bound);
      case 'record': {
        const body = this.#fields(bound.children);
        return slot ? body + this.#present(slot) : body;
      }
      case 'optional': {
        // Branch numbers up to 63 take one byte, the number doubled.
        if (plan.branches > 63) this.#refused = true;
        const inner = this.#value(bound.children[0]!);
        const nulls = slot ? this.#null(bound.children[0]!) : '';
        return `t=b[p++];if(t===${plan.branch * 2}){${inner}}else{if((t&1)!==0||t>${(plan.branches - 1) * 2})return -1;${nulls}}`;
      }
      case 'union': {
        if (plan.branches.length > MOST_BRANCHES) this.#refused = true;
        if (!slot || this.#refused) return this.#part(bound);
        const cases = plan.branches.map((branch, i) => {
          const nulls = bound.children
            .map((child, k) => (k === i && branch.column >= 0 ? '' : this.#null(child)))
            .join('');
          if (branch.column < 0) return `case ${i * 2}:${nulls}break;`;
          return `case ${i * 2}:${this.#value(bound.children[i]!)}${nulls}${this.#present(slot)}break;`;
        });
        return `switch(b[p++]){${cases.join('')}default:return -1;}`;
      }
      default:
        return this.#part(bound);
    }
  }

  /** Left to `readValue`, which appends where the vector ends. */
  #part(bound: AvroBound): string {
    const index = this.#parts.push(bound) - 1;
    let length = '';
    if (bound.slot) {
      this.#flat.add(bound.slot);
      length = `v${bound.slot.index}.length=r;`;
    }
    // A string or bytes vector may have moved to a larger array.
    const again = bound.slot && kindOf(bound.slot) === 'bytes' ? this.#again(bound.slot) : '';
    return `${length}c.p=p;V(parts[${index}],c);p=c.p;${again}`;
  }

  #again({ index: n }: Slot): string {
    return `if(y${n}!==v${n}.bytes){y${n}=v${n}.bytes;d${n}=new DataView(y${n}.buffer,y${n}.byteOffset,y${n}.byteLength);k${n}=v${n}.byteCapacity;}`;
  }

  #present(slot: Slot): string {
    this.#flat.add(slot);
    return slot.field.required ? '' : `n${slot.index}[r>>3]|=1<<(r&7);`;
  }

  /** A null (or zero) in the row of every vector below. Columns that the writer does not have are filled elsewhere. */
  #null(bound: AvroBound): string {
    const { slot } = bound;
    if (!slot) return '';
    this.#flat.add(slot);
    const n = slot.index;
    const inside = bound.plan.op === 'optional' || bound.plan.op === 'record' || bound.plan.op === 'union';
    if (bound.plan.op === 'optional') return this.#null(bound.children[0]!);
    switch (kindOf(slot)) {
      case 'bool':
        return '';
      case 'i32':
        return `i${n}[r]=0;`;
      case 'i64':
        return `i${n}[2*r]=0;i${n}[2*r+1]=0;`;
      case 'f32':
      case 'f64':
        return `f${n}[r]=0;`;
      case 'fixed':
        return `y${n}.fill(0,r*v${n}.width,(r+1)*v${n}.width);`;
      case 'struct':
        return inside ? bound.children.map((child) => this.#null(child)).join('') : '';
      default:
        return `o${n}[r+1]=o${n}[r];`;
    }
  }

  #leaf(plan: LeafPlan, bound: AvroBound, slot: Slot): string {
    const n = slot.index;
    const kind = kindOf(slot);
    const done = this.#present(slot);
    switch (plan.wire) {
      case 'boolean':
        return `t=b[p++];if(t===1)t${n}[r>>3]|=1<<(r&7);else if(t!==0)return -1;${done}`;
      case 'float':
        return `if(end-p<4)return -1;f${n}[r]=dv.getFloat32(p,true);p+=4;${done}`;
      case 'double':
        return `if(end-p<8)return -1;f${n}[r]=dv.getFloat64(p,true);p+=8;${done}`;
      case 'int':
      case 'long': {
        const read =
          't=b[p++];if(t>127){p=L(c,b,p-1,end);if(p<0)return -1;x=c.low;z=c.high;}else{x=(t>>>1)^-(t&1);z=x>>31;}';
        const whole = plan.wire === 'int' ? `${read}if(z!==x>>31)return -1;` : read;
        const words = `i${n}[2*r]=c.low;i${n}[2*r+1]=c.high;${done}`;
        switch (plan.convert) {
          case 'none':
            return kind === 'i32' ? `${whole}i${n}[r]=x;${done}` : `${whole}i${n}[2*r]=x;i${n}[2*r+1]=z;${done}`;
          case 'millis-to-micros':
            return `p=L(c,b,p,end);if(p<0||!M(c))return -1;${words}`;
          case 'nanos-to-micros':
            return `p=L(c,b,p,end);if(p<0)return -1;Q(c);${words}`;
          case 'time-millis':
          case 'time-micros': {
            const check = plan.wire === 'int' ? 'if(c.high!==c.low>>31)return -1;' : '';
            return `p=L(c,b,p,end);if(p<0)return -1;${check}t=H(c,${plan.convert === 'time-millis' ? 1000 : 1});if(t<0)return -1;i${n}[2*r]=t|0;i${n}[2*r+1]=Math.floor(t/4294967296);${done}`;
          }
          default:
            return this.#part(bound);
        }
      }
      case 'fixed':
        if (plan.convert === 'none' && kind === 'fixed')
          return `if(end-p<${plan.size})return -1;Y(b,dv,p,${plan.size},y${n},d${n},r*${plan.size});p+=${plan.size};${done}`;
        return plan.convert === 'decimal' ? `t=${plan.size};${this.#decimal(bound, slot)}${done}` : this.#part(bound);
      default:
        break;
    }
    const length =
      't=b[p++];if(t>127){p=L(c,b,p-1,end);if(p<0||c.high!==0)return -1;t=c.low;}else{if((t&1)!==0)return -1;t>>>=1;}if(t<0||t>end-p)return -1;';
    if (plan.convert === 'decimal') return `${length}${this.#decimal(bound, slot)}${done}`;
    if (plan.convert === 'uuid-text') return `${length}if(!U(b,p,t,y${n},r*16))return -1;p+=t;${done}`;
    if (plan.convert !== 'none') return this.#part(bound);
    const room = `x=o${n}[r];if(x+t>k${n}){d${n}=G(v${n},r,t);y${n}=v${n}.bytes;k${n}=v${n}.byteCapacity;}`;
    const copied = plan.wire === 'string' ? `if(!X(b,dv,p,t,y${n},d${n},x))return -1;` : `Y(b,dv,p,t,y${n},d${n},x);`;
    return `${length}${room}${copied}p+=t;o${n}[r+1]=x+t;${done}`;
  }

  /** `t` bytes at p. */
  #decimal(bound: AvroBound, slot: Slot): string {
    const index = this.#parts.push(bound) - 1;
    return `if(t>end-p||!parts[${index}].decimal.read(b,p,t))return -1;parts[${index}].decimal.write(v${slot.index},r);p+=t;`;
  }
}

function functionText(index: number, body: string): string {
  return `const f${index}_=(b,dv,p,end,r)=>{let t=0,x=0,z=0;${body}return p;};`;
}

function kindOf(slot: Slot): ReturnType<typeof storageOf>['kind'] {
  return storageOf(slot.field.type).kind;
}

function leaves(bound: AvroBound): number {
  const { op } = bound.plan;
  if (op === 'union') return bound.children.reduce((sum, child) => sum + leaves(child), 0) * bound.children.length;
  if (op === 'record' || op === 'optional') return bound.children.reduce((sum, child) => sum + leaves(child), 0);
  return 1;
}
