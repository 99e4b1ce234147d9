import type { TablePlan } from '../config/config.ts';
import { identText } from '../iceberg/catalog.ts';
import type { FromWorker } from '../pipeline/messages.ts';
import type { FetchedRecords, Lane, TopicPartition } from '../source/source.ts';
import type { TabletopicError } from '../errors.ts';
import type { TableIngest } from './table-ingest.ts';

/** All tables of this instance, and which lane, topic and message belongs to which. */
export class TableSet {
  readonly #byId = new Map<number, TableIngest>();
  readonly #byName = new Map<string, TableIngest>();
  readonly #assigned = new Map<string, TopicPartition>();

  all(): TableIngest[] {
    return [...this.#byId.values()];
  }

  /** Gives the topics of the plan to the table that is there already; false when there is none. */
  grow(plan: TablePlan): boolean {
    const table = this.#byName.get(identText(plan));
    if (!table) return false;
    const added = table.plan.grow(plan.topics, plan.routes);
    const partitions = [...this.#assigned.values()].filter(({ topic }) => added.includes(topic));
    if (partitions.length > 0) void table.assign(partitions);
    return true;
  }

  /** Starts the table; what is assigned already follows its start, which says where the table stands. */
  add(table: TableIngest): void {
    this.#byId.set(table.id, table);
    this.#byName.set(table.name, table);
    void table.start();
    const partitions = [...this.#assigned.values()].filter(({ topic }) => table.plan.topics.includes(topic));
    if (partitions.length > 0) void table.assign(partitions);
  }

  /** Tables take assignments one after another in their own time: a slow one holds up none of the others. */
  assign(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#assigned.set(keyOf(partition), partition);
    for (const [table, own] of this.#split(partitions)) void table.assign(own);
  }

  async revoke(partitions: readonly TopicPartition[]): Promise<void> {
    for (const partition of partitions) this.#assigned.delete(keyOf(partition));
    await Promise.all([...this.#split(partitions)].map(([table, own]) => table.revoke(own)));
  }

  async lost(partitions: readonly TopicPartition[]): Promise<void> {
    for (const partition of partitions) this.#assigned.delete(keyOf(partition));
    await Promise.all([...this.#split(partitions)].map(([table, own]) => table.lost(own)));
  }

  /** False when no table takes the records any more: the caller gives their bytes back. */
  fetched(records: FetchedRecords): boolean {
    const table = this.#ofLane(records.lane);
    table?.fetched(records);
    return table !== undefined;
  }

  idle(lane: Lane, highWatermark: number, lastStableOffset: number, fetchedAt: number): void {
    this.#ofLane(lane)?.idle(lane, highWatermark, lastStableOffset, fetchedAt);
  }

  laneError(lane: Lane, error: TabletopicError): void {
    this.#ofLane(lane)?.laneError(lane, error);
  }

  fromWorker(worker: number, message: Exclude<FromWorker, { type: 'released' }>): void {
    this.#byId.get(message.table)?.fromWorker(worker, message);
  }

  #ofLane(lane: Lane): TableIngest | undefined {
    return this.all().find((table) => table.lanes.get(lane.id) !== undefined);
  }

  #split(partitions: readonly TopicPartition[]): Map<TableIngest, TopicPartition[]> {
    const split = new Map<TableIngest, TopicPartition[]>();
    for (const table of this.all()) {
      const own = partitions.filter(({ topic }) => table.plan.topics.includes(topic));
      if (own.length > 0) split.set(table, own);
    }
    return split;
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
