import { seeded } from '../../seeded.ts';
import { drained, recovered, rowsOf } from '../lab.ts';
import type { Scenario } from '../lab.ts';
import type { Points, Trouble } from '../points.ts';
import { Proxied } from '../proxied.ts';

/** One in ten requests to broker, catalog and store comes to harm; then none does. */
export const network: Scenario = {
  name: 'connections reset, answers lost, requests swallowed and delayed',
  few: 30,
  many: 200,
  async run(lab, times) {
    const topic = 'faults.network';
    const random = seeded(2);
    const proxied = await Proxied.open(lab.stack);
    try {
      const config = lab.config('network', topic, {
        through: proxied.environment,
        kafka: { requestTimeout: '3s' },
        timeouts: true,
      });
      const loading = await lab.load(topic);
      const service = lab.files.run(config);
      await service.until('a commit', (status) => rowsOf(status) > 0);
      const all = [proxied.kafka.points, proxied.catalog.points, proxied.s3.points];
      const happened = (): number => all.flatMap(({ done }) => Object.values(done)).reduce((sum, n) => sum + n, 0);
      // A swallowed request to the store would cost the client's minute.
      const kinds: Trouble['kind'][] = ['reset', 'lost', 'delay', 'drop'];
      const harm = (most: number) => (): Trouble | null =>
        happened() >= times || random() > 0.1
          ? null
          : { kind: kinds[Math.floor(random() * most)]!, delay: random() * 1500 };
      const set = (points: Points, most: number): void => void (points.trouble = harm(most));
      set(proxied.kafka.points, 4);
      set(proxied.catalog.points, 4);
      set(proxied.s3.points, 3);
      await service.until('all troubles over', () => happened() >= times, 600);
      const at = performance.now();
      const before = rowsOf(await service.status());
      const recovery = await recovered(service, 'a commit', at, (status) => rowsOf(status) > before);
      await loading.stop();
      await drained(service);
      return [{ fault: this.name, times: happened(), recovery: [recovery], ...(await lab.judge(config, loading)) }];
    } finally {
      await proxied.close();
    }
  },
};
