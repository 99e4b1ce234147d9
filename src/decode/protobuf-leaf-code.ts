import { storageOf } from '../columns/batch.ts';
import type { ScalarPlan } from '../schema/protobuf-plan.ts';
import type { Slot } from './slots.ts';

/** Reads a length into t; leaves where it goes beyond the end. */
export const LENGTH =
  't=b[p++];if(t>127){p=L(c,b,p-1,end);if(p<0||c.high!==0)return -1;t=c.low;}if(t<0||t>end-p)return -1;';

/** Reads a tag into t. */
export const READ_TAG =
  't=b[p++];if(t>127){z=b[p++];if(z<128)t=(t&127)|(z<<7);else{p=L(c,b,p-2,end);if(p<0||c.high!==0)return -1;t=c.low;}}';

/** Reads a varint into x (low word) and z (high word). */
export function varintText(end: string): string {
  return `x=b[p++];if(x>127){p=L(c,b,p-1,${end});if(p<0)return -1;x=c.low;z=c.high;}else z=0;`;
}

/** The bit that says that a row has a value; nothing where the column is required. */
export function presentText(slot: Slot | null, row: string): string[] {
  return slot && !slot.field.required ? [`n${slot.index}[${row}>>3]|=1<<(${row}&7);`] : [];
}

/** `length` bytes, put by `copy` at x into the row of vector n. */
export function copied(n: number, row: string, length: string, copy: string): string {
  return `t=${length};x=o${n}[${row}];if(x+t>k${n}){d${n}=G(v${n},${row},t);y${n}=v${n}.bytes;k${n}=v${n}.byteCapacity;}${copy}o${n}[${row}+1]=x+t;`;
}

/** Statements that read a scalar at p into row `row`; `end` is where its message (or packed list) ends. */
export function leafCode(plan: ScalarPlan, slot: Slot, row: string, end: string): string {
  const n = slot.index;
  const { kind } = storageOf(slot.field.type);
  const words = `i${n}[2*${row}]=x;i${n}[2*${row}+1]=z;`;
  const narrow = kind === 'i32' ? `i${n}[${row}]=x;` : `z=x>>31;${words}`;
  const wide = kind === 'fixed' ? `D(v${n},${row},x,z);` : `if(z<0)return -1;${words}`;
  const fixed = (bytes: number): string => `if(${end}-p<${bytes})return -1;`;
  const eight = `${fixed(8)}x=dv.getInt32(p,true);z=dv.getInt32(p+4,true);p+=8;`;
  switch (plan.scalar) {
    case 'int32':
      return `${varintText(end)}${narrow}`;
    case 'sint32':
      return `${varintText(end)}x=(x>>>1)^-(x&1);${narrow}`;
    case 'uint32':
      return `${varintText(end)}z=0;${words}`;
    case 'int64':
      return `${varintText(end)}${words}`;
    case 'sint64':
      return `${varintText(end)}t=-(x&1);x=((x>>>1)|(z<<31))^t;z=(z>>>1)^t;${words}`;
    case 'uint64':
      return `${varintText(end)}${wide}`;
    case 'bool':
      return `${varintText(end)}if((x|z)!==0)t${n}[${row}>>3]|=1<<(${row}&7);else t${n}[${row}>>3]&=~(1<<(${row}&7));`;
    case 'sfixed32':
      return `${fixed(4)}x=dv.getInt32(p,true);p+=4;${narrow}`;
    case 'fixed32':
      return `${fixed(4)}x=dv.getInt32(p,true);z=0;p+=4;${words}`;
    case 'sfixed64':
      return `${eight}${words}`;
    case 'fixed64':
      return `${eight}${wide}`;
    case 'float':
      return `${fixed(4)}f${n}[${row}]=dv.getFloat32(p,true);p+=4;`;
    case 'double':
      return `${fixed(8)}f${n}[${row}]=dv.getFloat64(p,true);p+=8;`;
    default: {
      const copy = plan.scalar === 'string' ? `if(!X(b,dv,p,t,y${n},d${n},x))return -1;` : `Y(b,dv,p,t,y${n},d${n},x);`;
      return `${LENGTH.replaceAll('end', end)}${copied(n, row, 't', copy)}p+=t;`;
    }
  }
}
