import { TabletopicError } from '../errors.ts';
import type { TablePlan, TableRule } from './config.ts';
import type { TopicRoutes } from './route.ts';

/** Tables for the topics that exist. */
export interface Planned {
  readonly plans: TablePlan[];
  /** Topics that a rule names and that do not exist. */
  readonly missing: string[];
  /** Tables that two rules or topics would share without saying so; the first keeps it, the other is not in `plans`. Refused at start. */
  readonly collisions: TabletopicError[];
}

interface Claim {
  readonly rule: TableRule;
  readonly topic: string;
  readonly namespace: readonly string[];
  readonly name: string;
  /** The rule says in so many words that this topic goes to this table. */
  readonly explicit: boolean;
}

/**
 * Applies the rules to the topics that exist: rules that name a topic first, then patterns, each in the order of the
 * file. A pattern takes neither internal topics (`__…`) nor topics that a rule names, as a topic or as its dead-letter
 * topic. A topic may feed several tables,
 * and several topics one table when each of their rules names it.
 */
export function planTables(rules: readonly TableRule[], topics: readonly { readonly name: string }[]): Planned {
  const existing = new Set(topics.map((topic) => topic.name));
  const named = new Set(rules.flatMap((rule) => (rule.topic === null ? [] : [rule.topic])));
  // What a pattern would take of them, and find bad, would go round for ever.
  const deadLetterTopics = new Set(rules.flatMap((rule) => rule.deadLetterTopic ?? []));
  const collisions: TabletopicError[] = [];
  const tables = new Map<string, Claim[]>();
  const claims = [
    ...rules
      .filter((rule) => rule.topic !== null && existing.has(rule.topic))
      .map((rule) => claim(rule, rule.topic!, null)),
    ...rules.flatMap((rule) =>
      [...existing]
        .filter((topic) => rule.topicPattern !== null && !topic.startsWith('__'))
        .filter((topic) => !named.has(topic) && !deadLetterTopics.has(topic))
        .sort()
        .flatMap((topic) => {
          const match = rule.topicPattern!.exec(topic);
          return match ? [claim(rule, topic, match)] : [];
        }),
    ),
  ];
  for (const candidate of claims) {
    const problem = place(candidate, tables);
    if (problem) collisions.push(problem);
  }
  return {
    plans: [...tables.values()].map((claims) => ({
      rule: claims[0]!.rule,
      namespace: claims[0]!.namespace,
      name: claims[0]!.name,
      topics: claims.map((c) => c.topic),
      ...routesOf(rules, claims),
    })),
    missing: [...named].filter((topic) => !existing.has(topic)),
    collisions,
  };
}

/** The routes of the topics that the claims take only a part of. */
function routesOf(rules: readonly TableRule[], claims: readonly Claim[]): Pick<TablePlan, 'routes'> {
  const routed = claims.flatMap(({ rule, topic }): [string, TopicRoutes][] => {
    const all = rules.filter((other) => other.topic === topic && other.route !== null);
    const tables = all.map((other) => other.table ?? topic);
    return rule.route === null
      ? []
      : [[topic, { routes: all.map((other) => other.route!), tables, own: all.indexOf(rule) }]];
  });
  return routed.length === 0 ? {} : { routes: Object.fromEntries(routed) };
}

function claim(rule: TableRule, topic: string, match: RegExpExecArray | null): Claim {
  const template = rule.table?.replaceAll(/\$(\d+)/g, (_, group: string) => match?.[Number(group)] ?? '');
  const fixed = rule.table !== null && !rule.table.includes('$');
  const name = fixed ? rule.table : applyNaming(rule, template ?? topic);
  const levels = name.split('.');
  return {
    rule,
    topic,
    namespace: levels.length === 1 ? rule.namespace.split('.') : levels.slice(0, -1),
    name: levels.at(-1)!,
    explicit: fixed || (rule.topic !== null && name === topic),
  };
}

function applyNaming({ naming }: TableRule, name: string): string {
  const replaced = Object.entries(naming.replace).reduce((text, [from, to]) => text.replaceAll(from, to), name);
  return naming.case === 'lower' ? replaced.toLowerCase() : replaced;
}

/** Adds the claim to its table, or says why it cannot be. */
function place(candidate: Claim, tables: Map<string, Claim[]>): TabletopicError | null {
  const { rule, topic, namespace, name } = candidate;
  const table = [...namespace, name].join('.');
  if (namespace.includes('') || name === '') {
    return new TabletopicError(
      'CONFIG_INVALID',
      `${rule.path}: topic ${topic} gives the table name ${JSON.stringify(table)}, which has an empty part.`,
      { where: { topic }, hint: 'Name the table with `table`, or use `naming.replace`.' },
    );
  }
  const claims = tables.get(`${rule.catalog}\n${table}`) ?? [];
  const first = claims[0];
  if (claims.some((other) => other.topic === topic)) {
    // Two patterns that match: the first one in the file decides. Two rules that name the topic: say so.
    return rule.topic === null
      ? null
      : collision(
          candidate,
          claims.find((other) => other.topic === topic)!,
          'name that topic twice',
        );
  }
  if (first && !(candidate.explicit && claims.every((other) => other.explicit)))
    return collision(candidate, first, 'did not both name this table');
  if (first && !sameOptions(first.rule, rule))
    return collision(candidate, first, `differ in ${differingOptions(first.rule, rule).join(', ')}`);
  for (const [base, dead] of [
    [`${table}_dead_letters`, table],
    [table.replace(/_dead_letters$/, ''), table],
  ] as const) {
    const other = base === dead ? undefined : tables.get(`${rule.catalog}\n${base}`)?.[0];
    if (other)
      return collision(
        candidate,
        other,
        'are kept apart by name only: one table is where the dead letters of the other go',
      );
  }
  tables.set(`${rule.catalog}\n${table}`, [...claims, candidate]);
  return null;
}

function collision(second: Claim, first: Claim, why: string): TabletopicError {
  const table = [...second.namespace, second.name].join('.');
  return new TabletopicError(
    'CONFIG_INVALID',
    `Table ${table} is claimed by topic ${first.topic} (${first.rule.path}) and by topic ${second.topic} (${second.rule.path}), which ${why}.`,
    {
      where: { table, topic: second.topic, other: first.topic },
      hint: 'Give them different tables with `table`; or, to put both topics in one table, name the topics and the table in rules with the same options.',
    },
  );
}

function sameOptions(a: TableRule, b: TableRule): boolean {
  return differingOptions(a, b).length === 0;
}

function differingOptions(a: TableRule, b: TableRule): string[] {
  const own = new Set<string>(['path', 'topic', 'topicPattern', 'table', 'route', 'startFrom', 'naming', 'namespace']);
  return (Object.keys(a) as (keyof TableRule)[]).filter(
    (key) => !own.has(key) && JSON.stringify(a[key]) !== JSON.stringify(b[key]),
  );
}
