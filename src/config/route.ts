import { Reason } from './option.ts';
import type { CustomType } from './option.ts';
import { show } from './option-types.ts';

/** Which records of a topic a table takes, where the topic feeds several. Plain data: it is posted to workers. */
export type Route =
  /** By the writer schema: full name of an Avro record or Protobuf message, title of a JSON Schema. */
  | { readonly kind: 'record'; readonly names: readonly string[] }
  /** By the last header of this name. */
  | { readonly kind: 'header'; readonly name: string; readonly test: ValueTest }
  /** By a field of the value: column names from the top level down. */
  | { readonly kind: 'field'; readonly path: readonly string[]; readonly test: ValueTest }
  /** What no other route takes. */
  | { readonly kind: 'otherwise' };

/** A text, one of several, or a regular expression that is searched for. */
export type ValueTest = { readonly equals: readonly string[] } | { readonly matches: string };

/** The routes of one topic, in the order of the file: the first that takes a record has it. */
export interface TopicRoutes {
  readonly routes: readonly Route[];
  /** Tables by route, for messages. */
  readonly tables: readonly string[];
  /** The table's own. */
  readonly own: number;
}

const form =
  '{ record: com.example.Order }, { header: { name: type, equals: order } }, { field: { path: event.type, matches: "^order" } }, or otherwise';

/** `route` of a table rule. */
export const routeType: CustomType = {
  kind: 'custom',
  form,
  schema: {
    anyOf: [
      { const: 'otherwise' },
      {
        type: 'object',
        required: ['record'],
        properties: { record: { $ref: '#/$defs/routeTexts' } },
        additionalProperties: false,
      },
      {
        type: 'object',
        required: ['header'],
        properties: { header: testSchema('name') },
        additionalProperties: false,
      },
      {
        type: 'object',
        required: ['field'],
        properties: { field: testSchema('path') },
        additionalProperties: false,
      },
    ].map(inlined),
  },
  read(raw) {
    if (raw === 'otherwise') return { kind: 'otherwise' } satisfies Route;
    const refused = (why: string): Reason => new Reason(why, `Write ${form}.`);
    const [kind, ...more] = keysOf(raw);
    if (more.length > 0) return refused(`${[kind, ...more].join(' and ')} stand beside each other`);
    if (kind !== 'record' && kind !== 'header' && kind !== 'field')
      return refused(kind === undefined ? `${show(raw)} is no route` : `${kind} is none of record, header and field`);
    const value = (raw as Record<string, unknown>)[kind];
    if (kind === 'record') {
      const names = textsOf(value);
      return names
        ? ({ kind, names } satisfies Route)
        : refused(`record is ${show(value)}, no name and no list of names`);
    }
    const place = kind === 'header' ? 'name' : 'path';
    const {
      [place]: at,
      equals,
      matches,
      ...rest
    } = keysOf(value).length > 0 ? (value as Record<string, unknown>) : {};
    const [unknown] = Object.keys(rest);
    if (unknown !== undefined) return refused(`${kind} has no key ${unknown}, but ${place}, equals and matches`);
    if (typeof at !== 'string' || at === '') return refused(`${kind} lacks ${place}`);
    const test = testOf(equals, matches);
    if (typeof test === 'string') return refused(`${kind} ${at} ${test}`);
    return kind === 'header'
      ? ({ kind, name: at, test } satisfies Route)
      : ({ kind, path: at.split('.'), test } satisfies Route);
  },
};

/** The test, or what is wrong with it: a sentence without its subject. */
function testOf(equals: unknown, matches: unknown): ValueTest | string {
  if (equals === undefined && matches === undefined) return 'lacks equals or matches';
  if (equals !== undefined && matches !== undefined) return 'has equals and matches: keep one';
  if (equals !== undefined) {
    const texts = textsOf(equals);
    return texts ? { equals: texts } : `equals ${show(equals)}, no text and no list of texts`;
  }
  if (typeof matches !== 'string' || matches === '') return `matches ${show(matches)}, no regular expression`;
  try {
    new RegExp(matches, 'u').test('');
    return { matches };
  } catch (thrown) {
    return `matches no regular expression: ${(thrown as Error).message}`;
  }
}

/** A text or several; numbers and truth values are taken as they are written. */
function textsOf(raw: unknown): readonly string[] | null {
  const list: readonly unknown[] = Array.isArray(raw) ? raw : [raw];
  const texts = list.flatMap((item) =>
    typeof item === 'string' || typeof item === 'number' || typeof item === 'boolean' ? [String(item)] : [],
  );
  return texts.length === list.length && texts.length > 0 ? texts : null;
}

function keysOf(raw: unknown): string[] {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw) ? Object.keys(raw) : [];
}

function testSchema(place: 'name' | 'path'): Record<string, unknown> {
  return {
    type: 'object',
    required: [place],
    properties: { [place]: { type: 'string' }, equals: { $ref: '#/$defs/routeTexts' }, matches: { type: 'string' } },
    additionalProperties: false,
  };
}

/** The schema of texts, written out where it is used. */
function inlined(schema: unknown): unknown {
  const texts = ['string', 'number', 'boolean'];
  const written = { anyOf: [{ type: texts }, { type: 'array', items: { type: texts }, minItems: 1 }] };
  return JSON.parse(JSON.stringify(schema).replaceAll('{"$ref":"#/$defs/routeTexts"}', JSON.stringify(written)));
}
