import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { nodeOptions, serviceOptions } from '../../src/cli/launch.mjs';
import { type Config } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/load.ts';

const deploy = join(import.meta.dirname, '..', '..', 'deploy');

function read(file: string): string {
  return readFileSync(join(deploy, file), 'utf8');
}

function configuration(text: string): Config {
  return parseConfig(text, { env: { HOSTNAME: 'tabletopic-0' }, directory: '/', file: 'deployed' });
}

test('the compose file’s configuration is valid, and every server that it names is a service', () => {
  const compose = parse(read('compose.yaml'), { merge: true }) as {
    services: Record<string, { stop_grace_period?: string }>;
    configs: { tabletopic: { content: string } };
  };
  const config = configuration(compose.configs.tabletopic.content);
  const catalog = config.catalogs['lake']!;
  const hosts = [
    config.kafka.brokers[0]!.split(':')[0],
    ...[config.schemaRegistry!.url, catalog.uri, config.storage.s3.endpoint!].map((url) => new URL(url).hostname),
  ];
  for (const host of hosts) expect(Object.keys(compose.services)).toContain(host);
  expect(Number.parseInt(compose.services['tabletopic']!.stop_grace_period!, 10) * 1000).toBeGreaterThan(
    config.drainTimeout,
  );
});

test('Kubernetes: the configuration is valid, each pod is a member of its own, and a drain has time to end', () => {
  const map = parse(read('kubernetes/configuration.yaml')) as { data: Record<string, string> };
  const config = configuration(map.data['tabletopic.yaml']!);
  expect(config.kafka.instanceId).toBe('tabletopic-0');
  const set = parseAllDocuments(read('kubernetes/tabletopic.yaml'))[0]!.toJS() as {
    spec: {
      template: {
        spec: {
          terminationGracePeriodSeconds: number;
          containers: { ports: { containerPort: number }[]; resources: { limits: { memory: string } } }[];
        };
      };
    };
  };
  const { terminationGracePeriodSeconds, containers } = set.spec.template.spec;
  expect(terminationGracePeriodSeconds * 1000).toBeGreaterThan(config.drainTimeout);
  expect(containers[0]!.ports[0]!.containerPort).toBe(config.http!.port);
  expect(Number.parseInt(containers[0]!.resources.limits.memory, 10) * 1024 ** 2).toBeGreaterThan(2 * config.memory);
});

test('systemd: a drain has time to end, and exit codes that need a person are not restarted', () => {
  const unit = read('tabletopic.service');
  expect(Number(/TimeoutStopSec=(\d+)/.exec(unit)![1]) * 1000).toBeGreaterThan(30_000);
  expect(unit).toContain('RestartPreventExitStatus=2 3');
});

test('image and unit bound the heap as the launcher does', () => {
  const heap = serviceOptions.filter((option) => !nodeOptions.includes(option));
  expect(heap.length).toBeGreaterThan(0);
  for (const option of heap) {
    expect(read('Dockerfile')).toContain(`"${option}"`);
    expect(read('tabletopic.service')).toContain(` ${option} `);
  }
});
