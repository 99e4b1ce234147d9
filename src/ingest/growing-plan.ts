import type { TablePlan, TableRule } from '../config/config.ts';

/** The plan of a running table: topics that a pattern finds later come in; none goes, for the table holds their offsets. */
export class GrowingPlan implements TablePlan {
  readonly rule: TableRule;
  readonly namespace: readonly string[];
  readonly name: string;
  #topics: readonly string[];
  #routes: NonNullable<TablePlan['routes']>;

  constructor({ rule, namespace, name, topics, routes = {} }: TablePlan) {
    this.rule = rule;
    this.namespace = namespace;
    this.name = name;
    this.#topics = topics;
    this.#routes = routes;
  }

  get routes(): NonNullable<TablePlan['routes']> {
    return this.#routes;
  }

  get topics(): readonly string[] {
    return this.#topics;
  }

  /** Returns those that are new. */
  grow(topics: readonly string[], routes: NonNullable<TablePlan['routes']> = {}): readonly string[] {
    const added = topics.filter((topic) => !this.#topics.includes(topic));
    this.#topics = [...this.#topics, ...added];
    this.#routes = { ...routes, ...this.#routes };
    return added;
  }
}
