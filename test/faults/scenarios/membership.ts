import { PARTITIONS, SESSION_SECONDS, drained, recovered, rowsOf } from '../lab.ts';
import type { Scenario } from '../lab.ts';
import type { Outcome } from '../outcome.ts';

const protocols = [
  { name: 'classic, static members', kafka: { instanceId: 'auto' } },
  { name: 'classic, dynamic members', kafka: { instanceId: 'none' } },
  { name: 'consumer (KIP-848)', kafka: { groupProtocol: 'consumer' } },
];

/** How long the partitions of an instance that dies stand still: until it is started again, and until another takes them over. */
export const membership: Scenario = {
  name: 'recovery of each membership protocol',
  few: 1,
  many: 3,
  async run(lab, times) {
    const outcomes: Outcome[] = [];
    for (const [i, { name, kafka }] of protocols.entries()) {
      const topic = `faults.member${i}`;
      const config = lab.config(`member${i}`, topic, { kafka });
      const loading = await lab.load(topic);
      const restarts: number[] = [];
      const takeovers: number[] = [];
      let instance = lab.files.run(config);
      for (let round = 0; round < times; round++) {
        await instance.until('a commit', (status) => rowsOf(status) > 0);
        const at = performance.now();
        await instance.kill('SIGKILL');
        instance = lab.files.run(config);
        restarts.push(await recovered(instance, 'a commit', at, (status) => rowsOf(status) > 0));
      }
      for (let round = 0; round < times; round++) {
        const survivor = lab.files.run(config);
        await survivor.until('some partitions', ({ tables }) => (tables[0]?.partitions.length ?? 0) > 0);
        await instance.until('less partitions', ({ tables }) => tables[0]!.partitions.length < PARTITIONS);
        const { tables } = await instance.status();
        const standing = new Map(tables[0]!.partitions.map(({ partition, next }) => [partition, next ?? 0]));
        const at = performance.now();
        await instance.kill('SIGKILL');
        const takeover = await recovered(survivor, 'a commit of the others', at, (status) => {
          const all = status.tables[0]!.partitions;
          return (
            all.length === PARTITIONS &&
            all.every(({ partition, next }) => (next ?? 0) > (standing.get(partition) ?? -1))
          );
        });
        takeovers.push(takeover);
        instance = survivor;
      }
      await loading.stop();
      await drained(instance);
      const found = await lab.judge(config, loading);
      outcomes.push(
        { fault: `SIGKILL and start again; ${name}`, times, recovery: restarts, ...found },
        {
          fault: `SIGKILL, another takes over (session ${SESSION_SECONDS} s); ${name}`,
          times,
          recovery: takeovers,
          ...found,
        },
      );
    }
    return outcomes;
  },
};
