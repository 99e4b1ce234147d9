import { expect, it } from 'vitest';
import { scenarios, topicsOf, workload } from './workloads.ts';

const wish = { format: 'avro', compression: 'none', fields: 10 } as const;

it.each(scenarios)('%s: records spread evenly over its topics, each of which has a name of its own', (scenario) => {
  const of = workload({ ...wish, scenario, records: 1001 });
  const topics = topicsOf(of);
  expect(of.records % topics.length).toBe(0);
  expect(of.records).toBeGreaterThanOrEqual(1001);
  expect(new Set(topics).size).toBe(of.topics);
});

it('wide records are fewer, so that as much is read', () => {
  expect(workload({ ...wish, scenario: 'ingest' }).records).toBe(2_000_000);
  expect(workload({ ...wish, scenario: 'ingest', fields: 100 })).toMatchObject({
    id: 'ingest-avro-none-100',
    records: 200_000,
    shape: { fields: 100 },
  });
});
