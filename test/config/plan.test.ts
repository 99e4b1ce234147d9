import { describe, expect, test } from 'vitest';
import type { TableRule } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/load.ts';
import { GrowingPlan } from '../../src/ingest/growing-plan.ts';
import { type Planned, planTables } from '../../src/config/plan.ts';

function rules(text: string): readonly TableRule[] {
  const head =
    'kafka: { brokers: [a:1] }\ncatalogs: { lake: { type: rest, uri: http://a }, pond: { type: rest, uri: http://b } }\ndefaults: { catalog: lake }\n';
  return parseConfig(`${head}tables:\n${text}`, { env: {}, directory: '/', file: 'test.yaml' }).tables;
}

function plan(text: string, ...topics: string[]): Planned {
  return planTables(
    rules(text),
    topics.map((name) => ({ name })),
  );
}

function tables(planned: Planned): Record<string, readonly string[]> {
  return Object.fromEntries(
    planned.plans.map(({ namespace, name, topics }) => [[...namespace, name].join('.'), topics]),
  );
}

describe('names', () => {
  test('a topic without a dot, with one, with more', () => {
    const planned = plan(
      '  - topic: orders\n  - topic: shop.orders\n  - topic: eu.shop.orders',
      'orders',
      'shop.orders',
      'eu.shop.orders',
    );
    expect(planned.plans.map(({ namespace, name }) => [namespace, name])).toEqual([
      [['default'], 'orders'],
      [['shop'], 'orders'],
      [['eu', 'shop'], 'orders'],
    ]);
  });

  test('groups of a pattern', () => {
    const planned = plan(
      "  - topicPattern: '^shop\\.(.+)\\.v(\\d+)$'\n    table: shop.$1_v$2",
      'shop.orders.v1',
      'shop.orders.v12',
      'shop.orders',
      'xshop.a.v1',
    );
    expect(tables(planned)).toEqual({ 'shop.orders_v1': ['shop.orders.v1'], 'shop.orders_v12': ['shop.orders.v12'] });
  });

  test('case and replacement, before the split at dots; a name that is written stays as written', () => {
    const planned = plan(
      "  - topicPattern: '^S'\n    naming: { case: lower, replace: { '-': _, '.v1': '' } }\n  - { topic: X-y, table: Kept-As.Is, naming: { case: lower } }",
      'Shop.My-Orders.v1',
      'X-y',
    );
    expect(tables(planned)).toEqual({ 'shop.my_orders': ['Shop.My-Orders.v1'], 'Kept-As.Is': ['X-y'] });
  });
});

describe('which rule takes a topic', () => {
  test('a pattern leaves alone what is named, and internal topics', () => {
    const planned = plan(
      "  - topicPattern: '.*'\n  - { topic: a.b, table: other.c }",
      'a.b',
      'a.d',
      '__consumer_offsets',
    );
    expect(tables(planned)).toEqual({ 'other.c': ['a.b'], 'a.d': ['a.d'] });
  });

  test('one topic may feed several tables', () => {
    const planned = plan('  - topic: a.b\n  - { topic: a.b, table: x.y, partitionBy: [z] }', 'a.b');
    expect(tables(planned)).toEqual({ 'a.b': ['a.b'], 'x.y': ['a.b'] });
    expect(planned.collisions).toEqual([]);
  });

  test('several topics one table, when each rule names it', () => {
    const planned = plan('  - { topic: a.b, table: x.y }\n  - { topic: a.c, table: x.y }', 'a.b', 'a.c');
    expect(tables(planned)).toEqual({ 'x.y': ['a.b', 'a.c'] });
    const byPattern = plan("  - { topicPattern: '^a', table: x.y }", 'a.b', 'a.c');
    expect(tables(byPattern)).toEqual({ 'x.y': ['a.b', 'a.c'] });
  });

  test('several topics one table, when a pattern names it, or two do; also those that come later', () => {
    const pattern = "  - { topicPattern: '^eu\\.', table: all.orders }";
    expect(tables(plan(pattern, 'eu.a', 'eu.b', 'us.a'))).toEqual({ 'all.orders': ['eu.a', 'eu.b'] });
    const two = `${pattern}\n  - { topicPattern: '^us\\.', table: all.orders }`;
    expect(tables(plan(two, 'eu.a', 'us.a', 'cn.a'))).toEqual({ 'all.orders': ['eu.a', 'us.a'] });
    const growing = new GrowingPlan(plan(pattern, 'eu.a').plans[0]!);
    expect(growing.grow(plan(pattern, 'eu.a', 'eu.c').plans[0]!.topics)).toEqual(['eu.c']);
  });

  test('of two patterns that give one table for a topic the first in the file decides', () => {
    const planned = plan("  - { topicPattern: '^a', commitInterval: 5s }\n  - { topicPattern: 'b$' }", 'a.b');
    expect(planned.plans).toHaveLength(1);
    expect(planned.plans[0]!.rule.path).toBe('tables[0]');
    expect(planned.collisions).toEqual([]);
  });

  test('a topic that does not exist is missing, not planned', () => {
    const planned = plan('  - topic: a.b\n  - topic: a.c', 'a.c');
    expect(planned.missing).toEqual(['a.b']);
    expect(tables(planned)).toEqual({ 'a.c': ['a.c'] });
  });
});

describe('collisions name both sides', () => {
  test.each([
    [
      'two topics that naming makes equal',
      "  - { topicPattern: '.*', naming: { case: lower } }",
      ['S.a', 's.A'],
      /S\.a .*s\.A/,
    ],
    [
      'a template that loses a difference',
      "  - { topicPattern: '^(a)\\.', table: x.$1 }",
      ['a.b', 'a.c'],
      /a\.b.*a\.c/,
    ],
    [
      'different options',
      '  - { topic: a.b, table: x.y }\n  - { topic: a.c, table: x.y, commitInterval: 5s }',
      ['a.b', 'a.c'],
      /commitInterval/,
    ],
    ['a dead-letter table', '  - topic: a.b\n  - topic: a.b_dead_letters', ['a.b', 'a.b_dead_letters'], /dead letters/],
  ])('%s', (_, text, topics, message) => {
    const planned = plan(text, ...topics);
    expect(planned.collisions).toHaveLength(1);
    expect(planned.collisions[0]).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(planned.collisions[0]!.message).toMatch(message);
    expect(planned.plans).toHaveLength(1);
  });

  test('the same name in two catalogs is no collision', () => {
    const planned = plan('  - topic: a.b\n  - { topic: a.c, table: a.b, catalog: pond }', 'a.b', 'a.c');
    expect(planned.collisions).toEqual([]);
    expect(planned.plans).toHaveLength(2);
  });

  test('a topic whose name has an empty part', () => {
    expect(plan("  - topicPattern: '.'", 'a..b', '.a').collisions).toHaveLength(2);
  });
});

describe('routes', () => {
  const three = `  - { topic: t, table: s.orders, route: { record: [a.Order, a.OrderV2] } }
  - { topic: t, table: s.all }
  - { topic: t, table: s.big, route: { field: { path: event.size, matches: '^[0-9]{4}' } } }
  - { topic: t, table: s.rest, route: otherwise }
  - { topic: u, table: s.orders, route: { header: { name: type, equals: order } } }`;

  test('each table knows the routes of its topics, in the order of the file, and its own', () => {
    const { plans, collisions } = plan(three, 't', 'u');
    expect(collisions).toEqual([]);
    const routes = [
      { kind: 'record', names: ['a.Order', 'a.OrderV2'] },
      { kind: 'field', path: ['event', 'size'], test: { matches: '^[0-9]{4}' } },
      { kind: 'otherwise' },
    ];
    const tables = ['s.orders', 's.big', 's.rest'];
    expect(Object.fromEntries(plans.map((found) => [found.name, found.routes ?? null]))).toEqual({
      orders: {
        t: { routes, tables, own: 0 },
        u: {
          routes: [{ kind: 'header', name: 'type', test: { equals: ['order'] } }],
          tables: ['s.orders'],
          own: 0,
        },
      },
      all: null,
      big: { t: { routes, tables, own: 1 } },
      rest: { t: { routes, tables, own: 2 } },
    });
  });

  test('a topic that comes later brings its routes', () => {
    const growing = new GrowingPlan(plan(three, 't').plans[0]!);
    const later = plan(three, 't', 'u').plans[0]!;
    expect(growing.grow(later.topics, later.routes)).toEqual(['u']);
    expect(Object.keys(growing.routes).sort()).toEqual(['t', 'u']);
  });

  test.each([
    ['{ record: [] }', 'record is []'],
    ['{ header: { name: h } }', 'header h lacks equals or matches'],
    ['{ header: { name: h, equals: a, matches: b } }', 'has equals and matches'],
    ["{ field: { path: a, matches: '(' } }", 'Unterminated group'],
    ['{ field: { path: a, equals: b, more: c } }', 'field has no key more'],
    ['{ field: { equals: b } }', 'field lacks path'],
    ['{ recrod: a }', 'recrod is none of record, header and field'],
    ['{ record: a, header: { name: h, equals: a } }', 'record and header stand beside each other'],
    ['anything', 'is no route'],
  ])('%s is refused', (route, reason) => {
    expect(() => rules(`  - { topic: t, table: s.t, route: ${route} }`)).toThrow(reason);
  });

  test('a route that another one has before it takes nothing', () => {
    const [first, second] = ['  - { topic: t, table: s.a, route: ', '  - { topic: t, table: s.b, route: '];
    const route = '{ header: { name: h, equals: a } } }';
    expect(() => rules(`${first}${route}\n${second}${route}`)).toThrow('takes what tables[0] takes first');
    expect(() => rules(`${first}otherwise }\n${second}otherwise }`)).toThrow('takes what tables[0] takes first');
    rules(`${first}${route}\n${second}{ header: { name: h, equals: b } } }`);
  });

  test('a route needs the topic and the table by name', () => {
    expect(() => rules("  - { topicPattern: '^t', table: s.t, route: otherwise }")).toThrow('stands without topic');
    expect(() => rules('  - { topic: t, route: otherwise }')).toThrow('stands without table');
  });
});
