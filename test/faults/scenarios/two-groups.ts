import { setTimeout as sleep } from 'node:timers/promises';
import { drained } from '../lab.ts';
import type { Scenario } from '../lab.ts';

/** Two instances with different group ids read all partitions and write the same table: each commit fences one of them. */
export const twoGroups: Scenario = {
  name: 'two groups write the same table',
  few: 5,
  many: 30,
  /** `times`: seconds of it. */
  async run(lab, times) {
    const topic = 'faults.groups';
    const loading = await lab.load(topic);
    const config = lab.config('group-a', topic, { kafka: { groupId: 'faults.groups.a' } });
    const both = [
      lab.files.run(config),
      lab.files.run(lab.config('group-b', topic, { kafka: { groupId: 'faults.groups.b' } })),
    ];
    for (const service of both)
      await service.until('partitions', ({ tables }) => (tables[0]?.partitions.length ?? 0) > 0);
    await sleep(times * 1000);
    await loading.stop();
    for (const service of both) await service.until('caught up', ({ tables }) => tables[0]!.state === 'caught-up');
    await drained(...both);
    return [{ fault: `${this.name} for ${times} s`, times: 1, recovery: [], ...(await lab.judge(config, loading)) }];
  },
};
