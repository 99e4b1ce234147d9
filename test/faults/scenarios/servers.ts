import { drained, recovered, rowsOf } from '../lab.ts';
import type { Scenario } from '../lab.ts';
import type { Outcome } from '../outcome.ts';

/** Each server dies under a running service and is started again at once. */
export const servers: Scenario = {
  name: 'servers',
  few: 1,
  many: 3,
  async run(lab, times) {
    const outcomes: Outcome[] = [];
    for (const [server, called] of [
      ['kafka', 'broker'],
      ['catalog', 'catalog'],
      ['s3', 'object store'],
    ] as const) {
      const topic = `faults.${server}`;
      const config = lab.config(server, topic);
      const loading = await lab.load(topic);
      const service = lab.files.run(config);
      await service.until('a commit', (status) => rowsOf(status) > 0);
      const recovery: number[] = [];
      for (let i = 0; i < times; i++) {
        const at = performance.now();
        await lab.stack.server(server).kill('SIGKILL');
        const before = rowsOf(await service.status());
        await lab.stack.server(server).start();
        recovery.push(await recovered(service, `a commit after the ${called}`, at, (now) => rowsOf(now) > before));
      }
      await loading.stop();
      await drained(service);
      outcomes.push({
        fault: `SIGKILL of the ${called}`,
        times,
        recovery,
        ...(await lab.judge(config, loading)),
      });
    }
    return outcomes;
  },
};
