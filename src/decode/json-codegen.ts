import { Expect, FALS, NULL, TRUE } from './json-layout.ts';
import type { JsonNode } from './json-layout.ts';
import type { JsonOrder } from './json-order.ts';

/** Fields of one generated function: V8 does not optimise functions beyond 61,440 bytes of bytecode. */
const FIELDS_PER_FUNCTION = 32;
/** Bytes of a record: a string column reserves what is left of the record. */
const MOST_BYTES = 16_384;

/**
 * The source of a decoder for records of one order. Only numbers enter it. It gives up (-1) on every record that is not
 * plainly right, in the middle of whatever it wrote.
 *
 * It may read behind a record that is cut short, and behind that into `slack` bytes; as its position only grows and must
 * be the record's end at last, what it took was of the record.
 *
 * Names in the code: b, dv bytes and view of the source; p position; end of the record; r row; R the byte decoder, which
 * reads what is not worth code. For column n: vN vector, nN validity, iN, fN, tN, oN, yN the arrays i32, f64, bits,
 * offsets, bytes, dN view of the bytes, kN their capacity.
 */
export function jsonCode({ members, fields }: JsonOrder, slack: number): string {
  const present = new Set(members.map(({ column }) => column));
  const statements = members.map(
    ({ column, key }) => `if(p>end)return -1;${guard(key)}${value(fields[column]!, column)}`,
  );
  const absent = fields.map((field, n) => (present.has(n) ? '' : nulls(field, n))).join('');
  const groups = Array.from({ length: Math.ceil(statements.length / FIELDS_PER_FUNCTION) }, (_, i) =>
    statements.slice(i * FIELDS_PER_FUNCTION, (i + 1) * FIELDS_PER_FUNCTION).join('\n'),
  );
  const all = fields.map((_, n) => n);
  return `'use strict';
const { P, U } = rt;
let ${all.map((n) => `v${n},n${n},i${n},f${n},t${n},o${n},y${n},d${n},k${n}`).join(',')};
const attach = () => {
${all.map((n) => `v${n}=fields[${n}].vector;n${n}=v${n}.validity;i${n}=v${n}.i32;f${n}=v${n}.f64;t${n}=v${n}.bits;o${n}=v${n}.offsets;${again(n)}`).join('\n')}
};
${groups.map((body, i) => `const g${i}_=(b,dv,p,end,r)=>{let t=0,x=0,w=0,q=0,a=0,m=0;\n${body}\nreturn p;};`).join('\n')}
const run = (source, from, to, base) => {
  const b = source.bytes, dv = source.view, starts = source.payloadStart, lengths = source.payloadLength;
  const most = dv.byteLength - ${slack};
  for (let i = from; i < to; i++) {
    const n = lengths[i], r = base + i - from, end = starts[i] + n;
    if (n < 2 || n > ${MOST_BYTES} || end > most) return i;
    R.begin(b, dv, end);
    let p = starts[i];
${groups.map((_, g) => `p=g${g}_(b,dv,p,end,r);if(p<0)return i;`).join('\n')}
    if (b[p] !== 125 || p + 1 !== end) return i;
    ${absent}
    at.cut += R.cut;
  }
  return to;
};
return { attach, run };`;
}

/** Bytes that must be readable behind a record: it may end where a key is looked for. */
export function slackOf({ members }: JsonOrder): number {
  return Math.max(...members.map(({ key }) => key.length)) + 32;
}

/** The column is written by row number. */
export function isWritten({ expect }: JsonNode): boolean {
  return (
    expect === Expect.string ||
    expect === Expect.long ||
    expect === Expect.int ||
    expect === Expect.double ||
    expect === Expect.boolean
  );
}

/** The key with what stands around it, by words of which the last two may overlap. */
function guard(key: Uint8Array): string {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  const at = Array.from({ length: key.length >> 2 }, (_, i) => 4 * i);
  if ((key.length & 3) > 0) at.push(key.length - 4);
  const tests = at.map((k) => `dv.getInt32(p+${k},true)!==${view.getInt32(k, true)}`);
  return `if(${tests.join('||')})return -1;p+=${key.length};`;
}

function value(field: JsonNode, n: number): string {
  const present = field.required ? '' : `n${n}[r>>3]|=1<<(r&7);`;
  const none = field.required ? 'return -1;' : `if(dv.getInt32(p,true)!==${NULL})return -1;p+=4;${nulls(field, n)}`;
  /** By the byte decoder, from q on. */
  const other = `v${n}.length=r;p=R.member(fields[${n}],q);if(p<0)return -1;`;
  switch (field.expect) {
    case Expect.string:
      return `if(b[p]===34){q=p++;x=o${n}[r];a=0;
if(x+end-p>k${n}){v${n}.length=r;v${n}.reserveBytes(end-p);${again(n)}}
for(;;){w=dv.getInt32(p,true);d${n}.setInt32(x,w,true);
t=((w^0x22222222)-0x01010101|(w^0x5c5c5c5c)-0x01010101|w-0x20202020)&~w&0x80808080;
if(t!==0)break;a|=w;p+=4;x+=4;if(p>=end)return -1;}
t=31-Math.clz32(t&-t);a|=w&((1<<t)-1);t>>=3;p+=t;
if(b[p]===34){if((a&0x80808080)!==0&&!U(b,q+1,p))return -1;o${n}[r+1]=x+t;p++;${present}}
else{${other}if(y${n}!==v${n}.bytes){${again(n)}}}
}else{${none}}`;
    case Expect.long:
    case Expect.int: {
      const put = field.expect === Expect.long ? `i${n}[2*r]=x;i${n}[2*r+1]=x>>31;` : `i${n}[r]=x;`;
      return `q=p;m=0;if(b[p]===45){m=1;p++;}x=b[p]-48;
if(x>=0&&x<=9){a=p;w=x;for(;;){t=b[++p]-48;if(t<0||t>9)break;x=(Math.imul(x,10)+t)|0;}
t=p-a;if(t>1&&w===0)return -1;
if(t>9){${other}}else{if(m===1)x=-x|0;${put}${present}}
}else{if(m===1)return -1;${none}}`;
    }
    case Expect.double:
      return `q=p;m=0;if(b[p]===45){m=1;p++;}x=b[p]-48;
if(x>=0&&x<=9){a=p;w=x;for(;;){t=b[++p]-48;if(t<0||t>9)break;x=(Math.imul(x,10)+t)|0;}
if(p-a>1&&w===0)return -1;w=0;
if(t===-2){w=p;for(;;){t=b[++p]-48;if(t<0||t>9)break;x=(Math.imul(x,10)+t)|0;}
w=p-w-1;if(w===0)return -1;a++;}
if(p-a>9||(t|32)===53){${other}}else{const e=x/P[w];f${n}[r]=m===1?-e:e;${present}}
}else{if(m===1)return -1;${none}}`;
    case Expect.boolean:
      return `t=dv.getInt32(p,true);if(t===${TRUE}){t${n}[r>>3]|=1<<(r&7);p+=4;${present}}
else if(t===${FALS}&&b[p+4]===101){p+=5;${present}}else{${none}}`;
    default:
      return `p=R.member(fields[${n}],p);if(p<0)return -1;`;
  }
}

/** A null in the row. */
function nulls(field: JsonNode, n: number): string {
  switch (field.expect) {
    case Expect.string:
      return `o${n}[r+1]=o${n}[r];`;
    case Expect.long:
      return `i${n}[2*r]=0;i${n}[2*r+1]=0;`;
    case Expect.int:
      return `i${n}[r]=0;`;
    case Expect.double:
      return `f${n}[r]=0;`;
    case Expect.boolean:
      return '';
    default:
      return `v${n}.appendNull();`;
  }
}

function again(n: number): string {
  return `if(y${n}!==v${n}.bytes){y${n}=v${n}.bytes;d${n}=new DataView(y${n}.buffer,y${n}.byteOffset,y${n}.byteLength);}k${n}=v${n}.byteCapacity;`;
}
