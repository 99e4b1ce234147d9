import { afterAll, describe, expect, test } from 'vitest';
import { expectEveryRecordOnce } from '../real/expected.ts';
import { sums } from '../real/generator.ts';
import { readers } from '../real/readers.ts';
import { sharedStack } from '../real/shared.ts';
import { ServiceFiles } from './service-process.ts';

// The main job on real servers: two instances share the partitions, one is killed with SIGKILL and started again on the
// way; engines that we did not write find every record once.

const stack = sharedStack();
const files = new ServiceFiles(stack);
const catalog = { type: 'rest' as const, uri: stack.catalog.uri, s3: stack.s3 };

afterAll(async () => {
  await readers.close();
  files.remove();
});

interface Verified {
  tables: { table: string; ok: boolean; rows: number }[];
}

/** A second try has topics of its own: those of the first hold its records. */
const casesOf = (attempt: number) => [
  { format: 'avro' as const, topic: `e2e.avro_${attempt}`, compression: 'zstd' as const },
  { format: 'json' as const, topic: `e2e.json_${attempt}`, compression: 'lz4' as const },
];

describe('2,000,000 records, two instances, one killed on the way', () => {
  const n = 1_000_000;
  let attempts = 0;

  test('every record is in its table once, for PyIceberg, DuckDB and Spark', async () => {
    const attempt = ++attempts;
    const cases = casesOf(attempt);
    for (const { format, topic, compression } of cases)
      await stack.load({ topic, n, partitions: 4, format, compression });
    const tables = cases.map(({ topic }) => ({ topic }));
    const config = files.write(`e2e-${attempt}`, tables, {
      kafka: { brokers: stack.kafka.brokers, groupId: `e2e-${attempt}`, sessionTimeout: '10s' },
      defaults: { commitInterval: '1s' },
    });

    const survivor = files.run(config, '--until-caught-up');
    const victim = files.run(config, '--until-caught-up');
    await victim.says('committed');
    await victim.kill('SIGKILL');
    const again = files.run(config, '--until-caught-up');
    await Promise.all([survivor.ends(), again.ends()]);

    for (const { format, topic } of cases) {
      const expected = await sums({ n, format });
      for (const engine of readers.engines) {
        const reading = await readers.read(engine, {
          catalog,
          table: topic,
          columns: ['id', 'quantity', 'amount', 'active'],
        });
        expectEveryRecordOnce(reading, expected, { topic, partitions: 4, n });
      }
    }
    for (const level of [[], ['--deep']]) {
      const { tables: verified } = await files.json<Verified>('verify', config, ...level);
      expect(verified.map(({ table, ok, rows }) => ({ table, ok, rows }))).toEqual(
        cases.map(({ topic }) => ({ table: topic, ok: true, rows: n })),
      );
    }
  });
});
