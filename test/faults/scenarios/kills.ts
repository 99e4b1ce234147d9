import { setTimeout as sleep } from 'node:timers/promises';
import { seeded } from '../../seeded.ts';
import { recovered, rowsOf } from '../lab.ts';
import type { Scenario } from '../lab.ts';

/** The service dies again and again, two times in three soon after a commit, else at some moment of its start. */
export const kills: Scenario = {
  name: 'SIGKILL of the service under load',
  few: 5,
  many: 50,
  async run(lab, times) {
    const topic = 'faults.kills';
    const random = seeded(1);
    const loading = await lab.load(topic);
    const config = lab.config('kills', topic);
    const recovery: number[] = [];
    let at = performance.now();
    for (let i = 0; i < times; i++) {
      const service = lab.files.run(config);
      if (i % 3 === 2) await sleep(random() * 2000);
      else {
        recovery.push(await recovered(service, 'a commit', at, (status) => rowsOf(status) > 0));
        await sleep(random() * 600);
      }
      await service.kill('SIGKILL');
      at = performance.now();
    }
    await loading.stop();
    // The first start is none after a fault.
    return [{ fault: this.name, times, recovery: recovery.slice(1), ...(await lab.judge(config, loading)) }];
  },
};
