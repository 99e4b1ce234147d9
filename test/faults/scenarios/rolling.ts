import type { ServiceProcess } from '../../end-to-end/service-process.ts';
import { PARTITIONS, drained, recovered } from '../lab.ts';
import type { Scenario } from '../lab.ts';
import type { Outcome } from '../outcome.ts';

/** Two and three instances of one group are restarted one after another, by turns in order (SIGTERM) and not (SIGKILL). */
export const rolling: Scenario = {
  name: 'rolling restarts',
  few: 2,
  many: 6,
  async run(lab, times) {
    const outcomes: Outcome[] = [];
    for (const count of [2, 3]) {
      const topic = `faults.rolling${count}`;
      const config = lab.config(`rolling${count}`, topic);
      const loading = await lab.load(topic);
      const instances = Array.from({ length: count }, () => lab.files.run(config));
      await owned(instances);
      const recovery: number[] = [];
      for (let i = 0; i < times; i++) {
        const old = instances[i % count]!;
        const at = performance.now();
        if (i % 2 === 0) await drained(old);
        else await old.kill('SIGKILL');
        const fresh = (instances[i % count] = lab.files.run(config));
        recovery.push(await recovered(fresh, 'rows of its own', at, ({ tables }) => (tables[0]?.rows ?? 0) > 0));
        await owned(instances);
      }
      await loading.stop();
      await drained(...instances);
      const fault = `rolling restarts of ${count} instances, by turns SIGTERM and SIGKILL`;
      outcomes.push({ fault, times, recovery, ...(await lab.judge(config, loading)) });
    }
    return outcomes;
  },
};

/** All partitions are somebody's, and everybody has some. */
async function owned(instances: readonly ServiceProcess[]): Promise<void> {
  for (;;) {
    const each = await Promise.all(
      instances.map(async (instance) => {
        const { tables } = await instance.until(
          'a partition',
          (status) => (status.tables[0]?.partitions.length ?? 0) > 0,
        );
        return tables[0]!.partitions.length;
      }),
    );
    if (each.reduce((sum, n) => sum + n, 0) === PARTITIONS) return;
  }
}
