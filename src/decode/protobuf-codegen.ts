import { storageOf } from '../columns/batch.ts';
import { wireTypeOf } from '../schema/protobuf-node.ts';
import type { Slot } from './slots.ts';
import type { ProtoBinding, ProtoBound } from './protobuf-bind.ts';
import { LENGTH, READ_TAG, copied, leafCode, presentText, varintText } from './protobuf-leaf-code.ts';
import { MessageState } from './protobuf-message-state.ts';
import { EnumText } from './protobuf-runtime.ts';
import { MOST_DEPTH } from './protobuf-tree.ts';

/** Fields or statements of one generated function: V8 does not optimise functions beyond 61,440 bytes of bytecode. */
const PER_FUNCTION = 48;
/** Numbers of enum values whose text is looked up in an array. */
const MOST_ENUM = 1024;

/** Vectors that are written by one row number: those of the record (scope 0), or of the items of one list or map. */
export interface ProtoScope {
  readonly slots: Slot[];
  readonly missing: Slot[];
  /** What counts the items: the element, or a map's key. Null for the record. */
  readonly items: Slot | null;
}

export interface ProtoCode {
  readonly source: string;
  readonly scopes: readonly ProtoScope[];
  readonly parts: readonly ProtoBound[];
  /** For each part that is an enum, the texts of its small numbers. */
  readonly texts: readonly (readonly EnumText[])[];
}

/**
 * The source of a decoder for one binding, over a fixed template. Only numbers enter it: no name of a schema. The code
 * gives up (-1) on any record that is not plainly right or that needs more than one look (a message in several pieces, two
 * members of a oneof, a map key twice, groups), and the interpreted decoder takes that one, so that reasons are made in
 * one place only. It may read a few bytes behind a record that is cut short, never writes outside of its row, and
 * finds out at the latest where the record or message must end.
 *
 * Names in the code: b, dv bytes and view of the source; p position; end of the message; r row; c cursor; t, x, z, e, s
 * for the value being read. For slot n: vN vector, nN validity, iN, fN, tN, oN, yN the arrays i32, f32 or f64, bits,
 * offsets, bytes, dN view of the bytes, kN their capacity. For scope n: cN items so far, lN those before the record, aN
 * room. mN, hN, gN, uN functions of a message, a map entry, a group of fields, statements. qN, wN what was seen of a message
 * and of a oneof.
 *
 * Null where the binding drops a required field, or is nested too deep.
 */
export function protobufCode(binding: ProtoBinding): ProtoCode | null {
  return new Writer().all(binding);
}

class Writer {
  readonly scopes: ProtoScope[] = [];
  readonly parts: ProtoBound[] = [];
  readonly texts: EnumText[][] = [];
  readonly #functions: string[] = [];
  readonly #state: string[] = [];
  #names = 0;
  #refused = false;

  all({ root }: ProtoBinding): ProtoCode | null {
    const scope = this.#scope(null);
    if (root.slot) this.scopes[scope]!.slots.push(root.slot);
    const zero = this.#chunked(root.children.flatMap((child) => this.#zero(child, 'r')));
    const main = this.#message(root, scope, 0);
    if (this.#refused) return null;
    const slots = this.scopes.flatMap((one) => one.slots);
    const lists = this.scopes.flatMap((one, k) => (one.items ? [k] : []));
    const variables = [
      ...slots.map(({ index: n }) => `v${n},n${n},i${n},f${n},t${n},o${n},y${n},d${n},k${n}`),
      ...lists.map((k) => `c${k}=0,l${k}=0,a${k}=0`),
      ...this.#state.map((name) => `${name}=0`),
      '_',
    ];
    const loads = this.#chunked(
      slots.map((slot) => `v${slot.index}=slots[${slot.index}].vector;${this.#reload(slot)}`),
      '',
    );
    const source = `'use strict';
const { varint: L, skip: S, time: T, decimal: D, part: J, sameKeys: K, enumText: U, text: X, copy: Y, grow: G } = rt;
let ${variables.join(',')};
${lists.map((k) => this.#growText(k)).join('\n')}
${this.#functions.join('\n')}
const attach = () => {
${loads}
${lists.map((k) => `c${k}=v${this.scopes[k]!.items!.index}.length;a${k}=${this.#room(k)};`).join('\n')}
};
const counts = (out) => {${lists.map((k) => `out[${k}]=c${k};`).join('')}};
const run = (source, from, to, base) => {
  const b = source.bytes, dv = source.view, starts = source.payloadStart, lengths = source.payloadLength;
  for (let i = from; i < to; i++) {
    const n = lengths[i];
    at.i = i;
    at.cut = c.cut;
    if (n < 0) return i;
    const r = base + i - from, p = starts[i];
    ${lists.map((k) => `l${k}=c${k};`).join('')}${zero}
    if (${main}(b, dv, p, p + n, r) < 0) return i;
  }
  return to;
};
return { attach, counts, run };`;
    return { source, scopes: this.scopes, parts: this.parts, texts: this.texts };
  }

  #scope(items: Slot | null): number {
    return this.scopes.push({ slots: [], missing: [], items }) - 1;
  }

  /** A function that reads the fields of one message into row `r` of the scope's vectors. */
  #message(bound: ProtoBound, scope: number, depth: number): string {
    if (depth >= MOST_DEPTH) this.#refused = true;
    this.scopes[scope]!.missing.push(...bound.missing);
    const state = new MessageState(this.#names++);
    const fields = [...bound.children].sort((a, b) => a.field!.number - b.field!.number);
    const cases = fields.map((child) => this.#cases(child, scope, depth, state)).filter(({ tags }) => tags.length > 0);
    const many = bound.children.length > PER_FUNCTION;
    const name = `m${state.id}`;
    const present = bound.children.flatMap((child) =>
      child.field!.rule === 'optional' || child.field!.rule === 'required' ? [] : presentText(child.slot, 'r'),
    );
    const tail = bound.children.flatMap((child) => this.#tail(child));
    const own = bound.slot ? presentText(bound.slot, 'r') : [];
    if (many) this.#state.push(...state.variables);
    const declared = many ? '' : state.variables.map((one) => `,${one}=0`).join('');
    const reset = many ? state.variables.map((one) => `${one}=0;`).join('') : '';
    const body = many ? this.#grouped(cases) : inline(cases);
    this.#functions.push(
      `const ${name}=(b,dv,p,end,r)=>{let t=0,x=0,z=0,e=0,s${declared};${reset}${this.#chunked([...own, ...present])}` +
        `while(p<end){${READ_TAG}switch(t){${body}default:p=S(c,b,p,end,t);if(p<0)return -1;}}` +
        `if(p!==end${state.complete()})return -1;${this.#chunked(tail, 'r', true)}return p;};`,
    );
    return name;
  }

  /** The cases of many fields, in functions of their own. */
  #grouped(cases: readonly Case[]): string {
    const groups: Case[][] = [];
    for (let i = 0; i < cases.length; i += PER_FUNCTION) groups.push(cases.slice(i, i + PER_FUNCTION));
    return groups
      .map((group) => {
        const name = `g${this.#names++}`;
        const text = group.map(({ tags, body }) => `${labels(tags)}${body}return p;`).join('');
        this.#functions.push(`const ${name}=(b,dv,p,end,r,t)=>{let x=0,z=0,e=0,s;switch(t){${text}}return -1;};`);
        return `${labels(group.flatMap(({ tags }) => tags))}p=${name}(b,dv,p,end,r,t);if(p<0)return -1;continue;`;
      })
      .join('');
  }

  #cases(bound: ProtoBound, scope: number, depth: number, state: MessageState): Case {
    const field = bound.field!;
    // A field without a column is walked over as one that the schema does not have.
    if (!bound.slot && field.rule === 'required') this.#refused = true;
    if (!bound.slot || this.#refused) return { tags: [], body: '' };
    this.scopes[scope]!.slots.push(bound.slot);
    if (bound.plan.op === 'list') return this.#list(bound, depth);
    if (bound.plan.op === 'map') return this.#map(bound, depth);
    const tag = tagOf(field.number, wireTypeOf(field.type, field.delimited));
    const once = ONCE.has(bound.plan.op) ? state.once(bound) : '';
    const required = field.rule === 'required' ? state.required(bound) : '';
    const oneof = field.oneof === null ? '' : state.member(field.oneof, field.number);
    const explicit =
      field.rule === 'implicit' || bound.plan.op === 'message' ? '' : presentText(bound.slot, 'r').join('');
    const body = `${once}${oneof}${required}${this.#single(bound, scope, 'r', depth, 'end')}${explicit}`;
    // Groups are rare: their columns are known, their bytes are left to the interpreted decoder.
    return { tags: [tag], body: field.delimited ? 'return -1;' : body };
  }

  /** Reads one value at p into a row. */
  #single(bound: ProtoBound, scope: number, row: string, depth: number, end: string): string {
    const { plan } = bound;
    const n = bound.slot!.index;
    switch (plan.op) {
      case 'scalar': {
        if (!plan.wrapper) return leafCode(plan, bound.slot!, row, end);
        const tag = tagOf(1, wireTypeOf(plan.scalar, false));
        return `${LENGTH}if(t>0){e=p+t;if(b[p++]!==${tag})return -1;${leafCode(plan, bound.slot!, row, 'e')}if(p!==e)return -1;}`;
      }
      case 'enum':
        return `${varintText(end)}${this.#enum(bound, row)}`;
      case 'time': {
        const call = `T(c,b,p,p+t,${plan.kind === 'duration'},${plan.unit === 'nanos'})`;
        return `${LENGTH}if(!${call})return -1;p+=t;i${n}[2*${row}]=c.low;i${n}[2*${row}+1]=c.high;`;
      }
      case 'present':
        return `${LENGTH}${this.#part(bound, 'p+t', depth)}p+=t;t${n}[${row}>>3]|=1<<(${row}&7);`;
      case 'json':
        return `${LENGTH}s=${this.#part(bound, 'p+t', depth)}p+=t;${copied(n, row, 's.length', `y${n}.set(s,x);`)}`;
      case 'message': {
        const name = this.#message(bound, scope, depth + 1);
        return `${LENGTH}p=${name}(b,dv,p,p+t,${row});if(p<0)return -1;`;
      }
      default:
        this.#refused = true;
        return '';
    }
  }

  #part(bound: ProtoBound, end: string, depth: number): string {
    const index = this.parts.push(bound) - 1;
    this.texts.push([]);
    return `J(parts[${index}],types,b,dv,p,${end},${depth + 1});`;
  }

  /** The text of the number in x. */
  #enum(bound: ProtoBound, row: string): string {
    const n = bound.slot!.index;
    const index = this.#enumPart(bound);
    const text = `s=(x>=0&&x<${this.texts[index]!.length}&&texts[${index}][x])||U(parts[${index}],x);`;
    return text + copied(n, row, 's.length', `Y(s.bytes,s.view,0,t,y${n},d${n},x);`);
  }

  #enumPart(bound: ProtoBound): number {
    const index = this.parts.push(bound) - 1;
    const texts: EnumText[] = [];
    if (bound.plan.op === 'enum')
      for (const [number, name] of bound.plan.of.names)
        if (number >= 0 && number < MOST_ENUM) texts[number] = new EnumText(name);
    // No holes: an array with holes is slow.
    this.texts.push(Array.from(texts, (text, number) => text ?? new EnumText(String(number))));
    return index;
  }

  #list(bound: ProtoBound, depth: number): Case {
    const items = bound.children[0]!;
    const scope = this.#scope(items.slot);
    const field = bound.field!;
    const wire = wireTypeOf(field.type, field.delimited);
    const tag = tagOf(field.number, wire);
    this.scopes[scope]!.slots.push(items.slot!);
    const row = `c${scope}`;
    const n = bound.slot!.index;
    const limit = bound.most < Infinity ? `if(${row}-l${scope}>=${bound.most})return -1;` : '';
    const room = `if(${row}>=a${scope})g${scope}_();`;
    const zero = this.#zero(items, row).join('');
    const present = items.plan.op === 'message' ? '' : presentText(items.slot, row).join('');
    const one = (end: string): string =>
      `${room}${limit}${zero}${this.#single(items, scope, row, depth, end)}${present}${row}++;`;
    const end = `o${n}[r+1]=${row};`;
    if (field.delimited) {
      one('end');
      return { tags: [tag], body: 'return -1;' };
    }
    if (wire === 2) return { tags: [tag], body: `${one('end')}${end}` };
    return {
      tags: [tag, tagOf(field.number, 2)],
      body: `if((t&7)===2){${LENGTH}e=p+t;while(p<e){${one('e')}}if(p!==e)return -1;}else{${one('end')}}${end}`,
    };
  }

  #map(bound: ProtoBound, depth: number): Case {
    const [key, value] = [bound.children[0]!, bound.children[1]!];
    const scope = this.#scope(key.slot);
    if (!value.slot) this.#refused = true;
    if (this.#refused) return { tags: [], body: '' };
    const { field } = bound;
    this.scopes[scope]!.slots.push(key.slot!, value.slot!);
    const keyTag = tagOf(1, wireTypeOf(field!.key!, false));
    const valueTag = tagOf(2, wireTypeOf(field!.type, false));
    const once = ONCE.has(value.plan.op);
    const read = this.#single(value, scope, 'r', depth + 1, 'end');
    const zero = this.#chunked([...this.#zero(key, 'r'), ...this.#zero(value, 'r')]);
    const name = `h${this.#names++}`;
    const keyCase = key.plan.op === 'scalar' ? leafCode(key.plan, key.slot!, 'r', 'end') : '';
    const present = value.plan.op === 'message' ? '' : presentText(value.slot, 'r').join('');
    // A value that is not there is its default: an empty message, read from no bytes.
    const absent =
      value.plan.op === 'message' || value.plan.op === 'json' || value.plan.op === 'present'
        ? `if(q===0){${read.replace(LENGTH, 't=0;')}}`
        : this.#tail(value, true).join('');
    this.#functions.push(
      `const ${name}=(b,dv,p,end,r)=>{let t=0,x=0,z=0,e=0,q=0,s;${zero}` +
        `while(p<end){${READ_TAG}switch(t){case ${keyTag}:${keyCase}continue;` +
        `case ${valueTag}:${once ? 'if(q!==0)return -1;' : ''}q=1;${read}continue;` +
        `default:p=S(c,b,p,end,t);if(p<0)return -1;}}if(p!==end)return -1;${absent}${present}return p;};`,
    );
    const row = `c${scope}`;
    const limit = bound.most < Infinity ? `if(${row}-l${scope}>=${bound.most})return -1;` : '';
    return {
      tags: [tagOf(field!.number, 2)],
      body: `if(${row}>=a${scope})g${scope}_();${limit}${LENGTH}p=${name}(b,dv,p,p+t,${row});if(p<0)return -1;${row}++;o${bound.slot!.index}[r+1]=${row};`,
    };
  }

  /** After the last field: the names of enums that are absent, and whether map keys are there twice. */
  #tail(bound: ProtoBound, always = false): string[] {
    const { plan } = bound;
    if (!bound.slot) return [];
    const n = bound.slot.index;
    if (plan.op === 'enum' && (always || bound.field?.rule === 'implicit')) {
      const first = this.#enumPart(bound);
      const text = `s=U(parts[${first}],${plan.of.first});`;
      return [
        `if(o${n}[r+1]===o${n}[r]){${text}${copied(n, 'r', 's.length', `Y(s.bytes,s.view,0,t,y${n},d${n},x);`)}}`,
      ];
    }
    if (plan.op === 'map' && bound.children[0]!.slot) {
      const scope = this.scopes.findIndex((one) => one.items === bound.children[0]!.slot);
      return [`if(c${scope}-o${n}[r]>1&&K(v${bound.children[0]!.slot.index},o${n}[r],c${scope}))return -1;`];
    }
    return [];
  }

  /** Statements that put nothing into row `row` of a value and all that is below it, except items. */
  #zero(bound: ProtoBound, row: string): string[] {
    const { slot } = bound;
    if (!slot) return [];
    const n = slot.index;
    switch (storageOf(slot.field.type).kind) {
      case 'bool':
        return [];
      case 'i32':
        return [`i${n}[${row}]=0;`];
      case 'i64':
        return [`i${n}[2*${row}]=0;i${n}[2*${row}+1]=0;`];
      case 'f32':
      case 'f64':
        return [`f${n}[${row}]=0;`];
      case 'fixed':
        return [`y${n}.fill(0,${row}*v${n}.width,(${row}+1)*v${n}.width);`];
      case 'struct':
        return bound.children.flatMap((child) => this.#zero(child, row));
      default:
        return [`o${n}[${row}+1]=o${n}[${row}];`];
    }
  }

  /** Statements, in functions of their own where there are many. */
  #chunked(statements: readonly string[], parameters = 'r', checks = false): string {
    if (statements.length <= PER_FUNCTION) return statements.join('');
    const calls: string[] = [];
    for (let i = 0; i < statements.length; i += PER_FUNCTION) {
      const name = `u${this.#names++}`;
      const body = statements.slice(i, i + PER_FUNCTION).join('');
      this.#functions.push(`const ${name}=(${parameters})=>{let t=0,x=0,s;${body}return 0;};`);
      calls.push(checks ? `if(${name}(${parameters})<0)return -1;` : `${name}(${parameters});`);
    }
    return calls.join('');
  }

  #reload({ index: n }: Slot): string {
    return `n${n}=v${n}.validity;i${n}=v${n}.i32;f${n}=v${n}.kind==='f32'?v${n}.f32:v${n}.f64;t${n}=v${n}.bits;o${n}=v${n}.offsets;if(y${n}!==v${n}.bytes){y${n}=v${n}.bytes;d${n}=new DataView(y${n}.buffer,y${n}.byteOffset,y${n}.byteLength);}k${n}=v${n}.byteCapacity;`;
  }

  #room(k: number): string {
    return `Math.min(${this.scopes[k]!.slots.map(({ index: n }) => `v${n}.capacity`).join(',')})`;
  }

  /** Room for one more item: of an element with all that is in it, or of a key and its value. */
  #growText(k: number): string {
    const { slots, items } = this.scopes[k]!;
    const tops = slots.filter(({ path }) => path.length === items!.path.length);
    const grown = tops.map(({ index: n }) => `v${n}.length=c${k};v${n}.reserve(1);`).join('');
    return `const g${k}_=()=>{${grown}${slots.map((slot) => this.#reload(slot)).join('')}a${k}=${this.#room(k)};};`;
  }
}

interface Case {
  readonly tags: readonly number[];
  readonly body: string;
}

/** Values that a second occurrence would have to be merged with. */
const ONCE: ReadonlySet<string> = new Set(['message', 'json', 'time']);

/** Encoders write fields in order: behind each field the next one's tag is tried first. */
function inline(cases: readonly Case[]): string {
  return cases
    .map(({ tags, body }, i) => {
      const next = cases[i + 1]?.tags;
      const through = next?.length === 1 && next[0]! > 0 && next[0]! < 128;
      return `${labels(tags)}${body}${through ? `if(p<end&&b[p]===${next[0]})p++;else continue;` : 'continue;'}`;
    })
    .join('');
}

function labels(tags: readonly number[]): string {
  return tags.map((tag) => `case ${tag}:`).join('');
}

/** As the code reads it: a signed 32-bit number. */
function tagOf(number: number, wire: number): number {
  return (number * 8 + wire) | 0;
}
