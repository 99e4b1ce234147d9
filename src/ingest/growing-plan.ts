import type { TablePlan, TableRule } from '../config/config.ts';

/** The plan of a running table: topics that a pattern finds later come in; none goes, for the table holds their offsets. */
export class GrowingPlan implements TablePlan {
  readonly rule: TableRule;
  readonly namespace: readonly string[];
  readonly name: string;
  #topics: readonly string[];

  constructor({ rule, namespace, name, topics }: TablePlan) {
    this.rule = rule;
    this.namespace = namespace;
    this.name = name;
    this.#topics = topics;
  }

  get topics(): readonly string[] {
    return this.#topics;
  }

  /** Returns those that are new. */
  grow(topics: readonly string[]): readonly string[] {
    const added = topics.filter((topic) => !this.#topics.includes(topic));
    this.#topics = [...this.#topics, ...added];
    return added;
  }
}
