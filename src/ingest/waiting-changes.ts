import type { Logger } from 'pino';
import type { Committer, TableState } from '../commit/commit.ts';
import { tableFields } from '../commit/table-fields.ts';
import type { Ports } from '../ports.ts';
import { type ChangeRules, type WriterFields, deriveChange } from '../schema/derive.ts';
import type { Change } from '../schema/evolve.ts';
import {
  type WaitingChange,
  encodeWaiting,
  waitingChange,
  waitingChanges,
  waitingProperty,
} from '../schema/waiting-change.ts';

/** How often a change that waits is looked for in the table (ms). */
const LOOK = 5_000;

export interface WaitingOptions {
  readonly table: string;
  readonly rules: ChangeRules;
  readonly committer: Committer;
  readonly ports: Ports;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Runs a task whose failure stops the table. */
  guard(task: () => Promise<void>): void;
  retry<T>(what: string, attempt: () => Promise<T>): Promise<T>;
  /** Lanes of this instance that stand until the question is answered, as `topic-partition`. */
  lanesBehind(question: string): readonly string[];
}

/** A change that waits in this instance. */
export interface Waiting extends Omit<WaitingChange, 'writer'> {
  readonly partitions: readonly string[];
  /** What lets it through. */
  readonly command: string;
}

interface Entry {
  readonly change: WaitingChange;
  readonly again: () => Promise<void>;
}

/**
 * Questions of workers that are not answered yet, because the table's owner wants to approve the change of its schema
 * (`schemaChanges`).
 *
 * Invariants: a question has an entry until it is answered or no lane asks it any more, so that its lanes, and only
 * they, wait; what waits is stated in the table's properties, where `status` and `approve` find it. The approval is the
 * change itself, made in the table: nothing is believed that the schema does not show.
 */
export class WaitingChanges {
  readonly #o: WaitingOptions;
  readonly #entries = new Map<string, Entry>();
  #looking = false;

  constructor(options: WaitingOptions) {
    this.#o = options;
  }

  /** With lanes behind them, oldest first. */
  all(): Waiting[] {
    const { table, lanesBehind } = this.#o;
    const found = new Map<string, Waiting>();
    for (const [question, { change }] of this.#entries) {
      const { id, schema, changes, since } = change;
      const partitions = [...new Set([...(found.get(id)?.partitions ?? []), ...lanesBehind(question)])].sort();
      if (partitions.length > 0)
        found.set(id, { id, schema, changes, since, partitions, command: commandOf(table, id) });
    }
    return [...found.values()].sort((a, b) => a.since - b.since);
  }

  /** The question waits; `again` tries to answer it, and calls this or `settled`. */
  async hold(
    question: string,
    schema: string,
    changes: readonly Change[],
    writer: WriterFields,
    again: () => Promise<void>,
  ): Promise<void> {
    const { ports, log, table } = this.#o;
    const before = this.#entries.get(question)?.change;
    const change = waitingChange(changes, schema, ports.clock.now(), writer);
    const same = before?.id === change.id;
    this.#entries.set(question, { change: same ? before : change, again });
    if (same) return;
    log.error(
      { code: 'SCHEMA_CHANGE_WAITS', change: change.id, schema, changes: change.changes },
      `${schema} waits for approval: ${change.changes.join(', ')}. ${commandOf(table, change.id)}`,
    );
    await this.#state(change);
    this.#look();
  }

  /** The question is answered. */
  settled(question: string): void {
    const entry = this.#entries.get(question);
    if (!entry) return;
    this.#entries.delete(question);
    const { id, changes } = entry.change;
    this.#o.log.info({ change: id, changes }, 'a schema change that waited is in the table: its records go on');
  }

  /** Takes from the table's properties what no longer has anything to change there. */
  async tidy(): Promise<void> {
    const { committer, rules, retry } = this.#o;
    const done = (state: TableState): string[] =>
      waitingChanges(state.table.metadata.properties)
        .filter(({ writer }) => {
          const { changes, incompatible, dropped } = deriveChange(tableFields(state.table.metadata), writer, rules);
          return changes.length === 0 && incompatible.length === 0 && dropped.length === 0;
        })
        .map(({ id }) => waitingProperty(id));
    if (!committer.state || done(committer.state).length === 0) return;
    await retry('remove what no longer waits', () =>
      committer.properties((state) => {
        const remove = done(state);
        return remove.length === 0 ? null : { set: {}, remove };
      }),
    );
  }

  async #state(change: WaitingChange): Promise<void> {
    const { committer, retry } = this.#o;
    await retry('state the change that waits', () =>
      committer.properties(({ table: { metadata } }) =>
        waitingChanges(metadata.properties).some(({ id }) => id === change.id)
          ? null
          : { set: { [waitingProperty(change.id)]: encodeWaiting(change) }, remove: [] },
      ),
    );
  }

  #look(): void {
    if (this.#looking) return;
    this.#looking = true;
    const { ports, signal, guard, retry, committer } = this.#o;
    guard(async () => {
      try {
        while (this.#entries.size > 0) {
          await ports.clock.sleep(LOOK, signal);
          await retry('load the table', () => committer.refresh());
          for (const [question, entry] of this.#entries)
            if (this.#o.lanesBehind(question).length === 0) this.#entries.delete(question);
            else await entry.again();
        }
      } finally {
        this.#looking = false;
      }
    });
  }
}

function commandOf(table: string, id: string): string {
  return `tabletopic approve -c FILE --table ${table} --change ${id}`;
}
