import { ExitCode } from '../../../src/errors.ts';
import type { ServiceProcess } from '../../end-to-end/service-process.ts';
import { drained, rowsOf } from '../lab.ts';
import type { Lab, Scenario } from '../lab.ts';
import { SparkTable } from './spark-table.ts';
import { orphans } from './spark-orphans.ts';

/** Another engine does to a table all that it may, while the service commits each second. */
export const spark: Scenario = {
  name: 'Spark changes the table',
  few: 1,
  many: 3,
  async run(lab, times) {
    const beside = await Beside.open(lab);
    for (let round = 0; round < times; round++) for (const step of steps) await beside.take(step, round);
    await beside.loading.stop();
    await drained(beside.service);
    const found = await lab.judge(beside.config, beside.loading);
    return steps.map(({ name }) => ({
      fault: `Spark: ${name}`,
      times,
      recovery: beside.recovery.get(name)!,
      ...found,
    }));
  },
};

/** The service beside Spark, and how long it took to go on after each step. */
class Beside {
  readonly recovery = new Map<string, number[]>();
  readonly lab: Lab;
  readonly table: SparkTable;
  readonly loading: Awaited<ReturnType<Lab['load']>>;
  config: string;
  service: ServiceProcess;
  /** The head before rows were deleted. */
  before = '';

  constructor(lab: Lab, loading: Beside['loading']) {
    this.lab = lab;
    this.loading = loading;
    this.config = this.#configured({});
    this.table = new SparkTable(lab, loading.topic, this.config);
    this.service = lab.files.run(this.config);
  }

  static async open(lab: Lab): Promise<Beside> {
    const beside = new Beside(lab, await lab.load('faults.spark'));
    // Spark starts meanwhile.
    await beside.table.one('SELECT 1');
    await beside.service.until('commits', (status) => rowsOf(status) > 4000);
    return beside;
  }

  async take({ name, act, removed, after }: Step, round: number): Promise<void> {
    try {
      await act(this, round);
      const seconds = await this.table.goesOn(this.service, removed);
      await after?.(this, round);
      this.recovery.set(name, [...(this.recovery.get(name) ?? []), seconds]);
    } catch (error) {
      throw new Error(`'${name}' in round ${round}: ${String(error)}`, { cause: error });
    }
  }

  /** The table stops, and the service with it, because of this. */
  async stops(reason: string): Promise<void> {
    await this.service.ends(ExitCode.dataProblem);
    if (!this.service.log.includes(reason)) throw new Error(`stopped, but not for '${reason}'\n${this.service.log}`);
  }

  /** Starts the service again, with other defaults for the table. */
  start(defaults: object): void {
    this.config = this.#configured(defaults);
    this.service = this.lab.files.run(this.config);
  }

  async ready(): Promise<void> {
    await this.service.until('all ends', ({ tables }) => {
      const partitions = tables[0]?.partitions ?? [];
      return partitions.length > 0 && partitions.every(({ end }) => end !== null);
    });
  }

  #configured(defaults: object): string {
    const { topic } = this.loading;
    return this.lab.config(topic, topic, { defaults: { commitInterval: '1s', ...defaults } });
  }
}

interface Step {
  readonly name: string;
  /** Rows that others have removed since the history began, when it is done; null: it cannot be known. */
  readonly removed: number | null;
  act(beside: Beside, round: number): Promise<unknown>;
  /** Once the service has gone on. */
  after?(beside: Beside, round: number): Promise<void>;
}

/** Rows that each of two statements deletes; the generator spreads them over the partitions. */
const DELETED = 500;

/** The two names of a column that is renamed to and fro, the new one first. */
const names = (round: number): readonly [string, string] =>
  round % 2 === 0 ? ['land', 'country'] : ['country', 'land'];

const steps: readonly Step[] = [
  {
    name: 'rewrite_data_files',
    removed: 0,
    async act({ table }) {
      const { rewritten_data_files_count: files } = await table.call(
        'rewrite_data_files',
        `options => map('min-input-files', '2')`,
      );
      if (Number(files) < 2) throw new Error(`${String(files)} files rewritten`);
    },
  },
  {
    name: 'rewrite_manifests',
    removed: 0,
    act: ({ table }) => table.call('rewrite_manifests', ''),
  },
  {
    name: 'ADD COLUMN, RENAME COLUMN, ADD PARTITION FIELD',
    removed: 0,
    act({ table }, round) {
      const [now, before] = names(round);
      return table.sql(
        `ALTER TABLE ${table.path} ADD COLUMN remark_${round} STRING`,
        `ALTER TABLE ${table.path} RENAME COLUMN ${before} TO ${now}`,
        `ALTER TABLE ${table.path} ADD PARTITION FIELD bucket(${round + 2}, id)`,
      );
    },
    async after({ table }, round) {
      const [now] = names(round);
      const without = await table.one(`SELECT count(*) AS rows FROM ${table.path} WHERE ${now} IS NULL`);
      if (without['rows'] !== 0) throw new Error(`${String(without['rows'])} rows without ${now}`);
    },
  },
  {
    name: 'DELETE, copy-on-write',
    removed: DELETED,
    async act(beside) {
      const { table } = beside;
      beside.before = await table.head();
      table.deleted = DELETED / 4;
      await table.sql(`DELETE FROM ${table.path} WHERE id < ${DELETED}`);
    },
  },
  {
    name: 'DELETE, merge-on-read',
    removed: DELETED * 2,
    async act({ table }) {
      table.deleted = (DELETED * 2) / 4;
      await table.sql(
        `ALTER TABLE ${table.path} SET TBLPROPERTIES ('write.delete.mode' = 'merge-on-read')`,
        `DELETE FROM ${table.path} WHERE id < ${DELETED * 2}`,
        `ALTER TABLE ${table.path} UNSET TBLPROPERTIES ('write.delete.mode')`,
      );
    },
  },
  {
    name: 'rewrite_data_files over deleted rows',
    // A merge-on-read delete and the rewrite that carries it out both count its rows.
    removed: null,
    act: ({ table }) =>
      table.call('rewrite_data_files', `options => map('min-input-files', '2', 'delete-file-threshold', '1')`),
  },
  {
    name: 'rollback_to_snapshot',
    removed: 0,
    async act({ table, before }) {
      table.deleted = 0;
      await table.call('rollback_to_snapshot', `snapshot_id => ${before}`);
    },
  },
  {
    name: 'expire_snapshots down to one, DROP PARTITION FIELD',
    removed: null,
    async act({ table }, round) {
      await table.call('expire_snapshots', `older_than => TIMESTAMP '2100-01-01 00:00:00', retain_last => 1`);
      await table.sql(`ALTER TABLE ${table.path} DROP PARTITION FIELD bucket(${round + 2}, id)`);
    },
  },
  { name: 'remove_orphan_files', removed: null, act: ({ lab, table }) => orphans(lab, table) },
  {
    name: 'DROP COLUMN that records have',
    removed: null,
    async act(beside, round) {
      const { table } = beside;
      const drop = `ALTER TABLE ${table.path} DROP COLUMN session_id`;
      if (round > 0) return table.sql(drop);
      // As long as nothing else is said the table stops, and says why.
      await table.sql(`ALTER TABLE ${table.path} RENAME COLUMN _kafka TO origin`, drop);
      await beside.stops('the table lost _kafka,');
      await table.sql(`ALTER TABLE ${table.path} RENAME COLUMN origin TO _kafka`);
      beside.start({});
      await beside.stops('session_id, which was dropped');
      beside.start({ onDropped: 'recreate' });
      return beside.ready();
    },
  },
];
