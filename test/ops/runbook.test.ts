import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createPrometheus } from '../../src/ops/prometheus.ts';
import { withReadiness } from '../../src/ops/health.ts';
import { runbook } from '../../src/ops/runbook.ts';
import { facts } from './status.ts';

const root = join(import.meta.dirname, '..', '..');

test('the runbook’s table of errors is current (node src/ops/runbook.ts writes it)', () => {
  expect(runbook(root)).toBe(readFileSync(join(root, 'deploy', 'runbook.md'), 'utf8'));
});

test.each(['prometheus-alerts.yaml', 'grafana-dashboard.json'])('%s asks only for metrics that exist', async (file) => {
  const metrics = createPrometheus(() => withReadiness(facts()));
  // A histogram shows once it has a value.
  metrics.committed('shop.orders', 1, 1, 1, 1);
  const known = await metrics.render();
  const asked = new Set(readFileSync(join(root, 'deploy', file), 'utf8').match(/\btabletopic_[a-z_]+/g));
  expect(asked.size).toBeGreaterThan(3);
  for (const name of asked) expect(known, name).toContain(`# HELP ${name.replace(/_(bucket|count|sum)$/, '')} `);
});

test('the runbook says of every alert what to do', () => {
  const alerts = [...readFileSync(join(root, 'deploy', 'prometheus-alerts.yaml'), 'utf8').matchAll(/alert: (\w+)/g)];
  expect(alerts.length).toBeGreaterThan(5);
  const text = readFileSync(join(root, 'deploy', 'runbook.md'), 'utf8');
  for (const [, name] of alerts) expect(text).toContain(`| ${name} |`);
});

test('whatever makes the service unready or waits for a person has an alert', () => {
  const asked = readFileSync(join(root, 'deploy', 'prometheus-alerts.yaml'), 'utf8');
  for (const metric of [
    'table_stopped',
    'topics_paused',
    'schema_changes_waiting',
    'dependency_up',
    'dead_letters_total',
  ])
    expect(asked).toContain(`tabletopic_${metric}`);
});
