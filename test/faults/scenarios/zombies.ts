import { PARTITIONS, drained, rowsOf } from '../lab.ts';
import type { Lab, Scenario } from '../lab.ts';
import type { Passing } from '../points.ts';
import { Proxied } from '../proxied.ts';

const commit = ({ what, body }: Passing): boolean =>
  /^POST .*\/tables\/[^/]+$/.test(what) && body.includes('"added-records"');

/**
 * One of two instances is stopped (SIGSTOP) with a commit on its way, for longer than its session; the other takes all
 * partitions over and commits. Then the commit arrives at the catalog and the instance goes on (SIGCONT).
 */
export const zombies: Scenario = {
  name: 'SIGSTOP longer than the session, with a commit on its way; SIGCONT',
  few: 1,
  many: 3,
  async run(lab: Lab, times) {
    const topic = 'faults.zombies';
    const proxied = await Proxied.open(lab.stack);
    try {
      const loading = await lab.load(topic);
      const zombie = lab.files.run(lab.config('zombie', topic, { through: proxied.environment }));
      const config = lab.config('other', topic);
      const other = lab.files.run(config);
      const recovery: number[] = [];
      for (let i = 0; i < times; i++) {
        for (const instance of [zombie, other])
          await instance.until('partitions of its own', ({ tables }) => {
            const own = tables[0]?.partitions.length ?? 0;
            return own > 0 && own < PARTITIONS;
          });
        const held = await proxied.catalog.points.hold('request', commit);
        zombie.child.kill('SIGSTOP');
        const at = performance.now();
        const before = rowsOf(await other.status());
        await other.until('all partitions', ({ tables }) => tables[0]!.partitions.length === PARTITIONS);
        await other.until(
          'a commit of all',
          ({ tables }) =>
            tables[0]!.partitions.every(({ lag }) => lag !== null && lag < 1000) && tables[0]!.rows > before,
        );
        recovery.push((performance.now() - at) / 1000);
        const status = await held.release();
        zombie.child.kill('SIGCONT');
        if (status !== 409) throw new Error(`the catalog answered ${status} to the zombie's commit`);
      }
      await zombie.until('partitions again', ({ tables }) => (tables[0]?.partitions.length ?? 0) > 0);
      await loading.stop();
      await drained(zombie, other);
      return [{ fault: this.name, times, recovery, ...(await lab.judge(config, loading)) }];
    } finally {
      await proxied.close();
    }
  },
};
