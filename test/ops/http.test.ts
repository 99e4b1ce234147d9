import { afterEach, expect, test } from 'vitest';
import { withReadiness } from '../../src/ops/health.ts';
import { type HttpServer, startHttp } from '../../src/ops/http.ts';
import { createPrometheus } from '../../src/ops/prometheus.ts';
import type { ServiceFacts } from '../../src/ops/status.ts';
import { facts, tableStatus } from './status.ts';

let servers: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(servers.map((server) => server.close()));
  servers = [];
});

async function start(
  current: () => ServiceFacts,
): Promise<{ url: string; metrics: ReturnType<typeof createPrometheus> }> {
  const status = () => withReadiness(current());
  const metrics = createPrometheus(status);
  const server = await startHttp({ host: '127.0.0.1', port: 0, status, metrics });
  servers.push(server);
  return { url: server.url, metrics };
}

test('probes, status and page', async () => {
  let current = facts();
  const { url } = await start(() => current);
  expect(await (await fetch(`${url}/livez`)).text()).toBe('ok\n');
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  current = facts({ missingTopics: ['shop.x'] });
  const unready = await fetch(`${url}/readyz`);
  expect([unready.status, await unready.text()]).toEqual([503, 'Topic shop.x does not exist.\n']);
  expect((await fetch(`${url}/livez`)).status).toBe(200);
  expect(await (await fetch(`${url}/status`)).json()).toMatchObject({
    ready: false,
    tables: [{ table: 'shop.orders', lastSnapshotId: '8271638172635172635' }],
  });
  const page = await fetch(`${url}/`);
  expect(page.headers.get('content-type')).toContain('text/html');
  // Everything it loads is its own.
  expect((await page.text()).match(/(?:src|href)="(?!\/)/g)).toBeNull();
});

test('metrics: counters of events, gauges of the status, units in the names', async () => {
  let current = facts();
  const { url, metrics } = await start(() => current);
  metrics.recordsRead('shop.orders', 10, 1340);
  metrics.recordsRead('shop.orders', 5, 670);
  metrics.committed('shop.orders', 14, 2, 9000, 0.4);
  metrics.deadLetters('shop.orders', 'DECODE_AVRO', 1);
  metrics.commitAttempt('shop.orders', 'conflict');
  metrics.commitAttempt('shop.orders', 'committed');
  const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n');
  for (const line of [
    'tabletopic_records_read_total{topic="shop.orders"} 15',
    'tabletopic_bytes_read_total{topic="shop.orders"} 2010',
    'tabletopic_rows_committed_total{table="shop.orders"} 14',
    'tabletopic_files_committed_total{table="shop.orders"} 2',
    'tabletopic_dead_letters_total{table="shop.orders",code="DECODE_AVRO"} 1',
    'tabletopic_commit_attempts_total{table="shop.orders",outcome="conflict"} 1',
    'tabletopic_commit_seconds_count{table="shop.orders"} 1',
    'tabletopic_lag_records{table="shop.orders",topic="shop.orders"} 53',
    'tabletopic_lag_seconds{table="shop.orders"} 4',
    'tabletopic_freshness_seconds{table="shop.orders"} 2',
    'tabletopic_seconds_since_commit{table="shop.orders"} 2',
    'tabletopic_buffered_bytes 8192',
    'tabletopic_ready 1',
    'tabletopic_dependency_up{dependency="kafka"} 1',
  ])
    expect(lines).toContain(line);
  // What is not known is absent, not zero; a table that is gone leaves nothing behind.
  current = facts({
    tables: [tableStatus({ table: 'shop.clicks', lagSeconds: null, freshnessSeconds: null, lastCommit: null })],
  });
  const later = await (await fetch(`${url}/metrics`)).text();
  expect(later).not.toMatch(/tabletopic_(lag|freshness)_seconds\{/);
  expect(later).not.toContain('tabletopic_lag_records{table="shop.orders"');
});

test('a port that is taken is an error of the configuration', async () => {
  const { url } = await start(() => facts());
  const status = () => withReadiness(facts());
  const again = startHttp({
    host: '127.0.0.1',
    port: Number(new URL(url).port),
    status,
    metrics: createPrometheus(status),
  });
  await expect(again).rejects.toMatchObject({ code: 'CONFIG_INVALID', exit: 2 });
});
