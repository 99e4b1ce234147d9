import { setTimeout as sleep } from 'node:timers/promises';
import type { VerifyResult } from '../../../src/maintain/verify.ts';
import type { ServiceProcess } from '../../end-to-end/service-process.ts';
import { readers } from '../../real/readers.ts';
import { PARTITIONS } from '../lab.ts';
import type { Lab } from '../lab.ts';

type Row = Record<string, unknown>;

/** Seconds in which the table must hold what its topic held when Spark had done. */
const BOUND = 120;

/** A table of the lab as Spark sees and changes it while the service writes it. */
export class SparkTable {
  /** As procedures call it. */
  readonly name: string;
  readonly #lab: Lab;
  readonly #config: string;
  /** Offsets of each partition that Spark has deleted, from its first one on. */
  deleted = 0;

  constructor(lab: Lab, name: string, config: string) {
    this.#lab = lab;
    this.name = name;
    this.#config = config;
  }

  /** As statements name it. */
  get path(): string {
    return `lake.${this.name}`;
  }

  /** Rows of the last statement. Spark tries some changes once: when our commit came between, whoever asked asks again. */
  async sql(...statements: readonly string[]): Promise<Row[]> {
    let rows: Row[] = [];
    for (const statement of statements) rows = await this.#untilCommitted(statement);
    return rows;
  }

  async one(statement: string): Promise<Row> {
    return (await this.sql(statement))[0] ?? {};
  }

  async call(procedure: string, args: string): Promise<Row> {
    return this.one(`CALL lake.system.${procedure}(table => '${this.name}'${args === '' ? '' : `, ${args}`})`);
  }

  async head(): Promise<string> {
    const row = await this.one(`SELECT CAST(snapshot_id AS STRING) AS id FROM ${this.path}.refs WHERE name = 'main'`);
    return String(row['id']);
  }

  /**
   * What Spark has just done stands, and the service goes on: every offset that the topic held at that time is in the
   * table once, as Spark counts and as `verify` says on both levels. Seconds until the service had committed them.
   *
   * @param removed rows that `verify` has to list as removed by others; null: their snapshots are gone.
   */
  async goesOn(service: ServiceProcess, removed: number | null): Promise<number> {
    const at = performance.now();
    const ends = new Map<number, number>();
    const { tables } = await service.status();
    for (const { partition, end } of tables[0]!.partitions) ends.set(partition, end ?? 0);
    if (ends.size !== PARTITIONS) throw new Error(`the service has ${ends.size} of ${PARTITIONS} partitions`);
    for (;;) {
      await service.until(
        'all committed',
        (now) => now.tables[0]!.partitions.every(({ partition, next }) => (next ?? 0) >= ends.get(partition)!),
        BOUND,
      );
      const seconds = (performance.now() - at) / 1000;
      const counted = await this.#counted();
      if (counted.every(({ partition, max }) => max + 1 >= ends.get(partition)!)) {
        for (const level of [[], ['--deep']]) await this.#verified(level, removed);
        return seconds;
      }
      // After a rollback the service says what it had committed before, until it has noticed.
      if (seconds > BOUND) throw new Error(`not within ${BOUND} s: all rows\n${service.log}`);
      await sleep(500);
    }
  }

  /** Where each partition ends in the table, once Spark has found every offset below it once. */
  async #counted(): Promise<{ partition: number; max: number }[]> {
    const rows = await this.sql(
      `SELECT _kafka.partition, count(*) AS rows, count(DISTINCT _kafka.offset) AS distinct, min(_kafka.offset) AS min,
              max(_kafka.offset) AS max FROM ${this.path} GROUP BY 1 ORDER BY 1`,
    );
    const counted = rows.map((row) => row as Record<'partition' | 'rows' | 'distinct' | 'min' | 'max', number>);
    const exact = counted.every(
      ({ rows: all, distinct, min, max }) => all === distinct && min === this.deleted && max - min + 1 === all,
    );
    if (!exact || counted.length !== PARTITIONS)
      throw new Error(`Spark counts, with ${this.deleted} offsets of each deleted: ${JSON.stringify(counted)}`);
    return counted;
  }

  async #verified(level: readonly string[], removed: number | null): Promise<void> {
    const { tables } = await this.#lab.files.json<{ tables: VerifyResult[] }>('verify', this.#config, ...level);
    const result = tables[0]!;
    const found = result.others
      .filter(({ operation }) => operation !== 'delete file')
      .reduce((sum, other) => sum + other.removedRows - other.addedRows + (other.deletes ?? 0), 0);
    if (removed !== null && found !== removed)
      throw new Error(
        `verify lists ${found} instead of ${removed} rows as removed by others: ${JSON.stringify(result)}`,
      );
  }

  async #untilCommitted(statement: string): Promise<Row[]> {
    for (let tries = 1; ; tries++) {
      try {
        return await readers.sparkSql(this.#lab.catalog, statement);
      } catch (error) {
        if (tries === 20 || !String(error).includes('CommitFailedException')) throw error;
      }
    }
  }
}
