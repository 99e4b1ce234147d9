import { expect, test } from 'vitest';
import { withReadiness } from '../../src/ops/health.ts';
import { facts, now, tableStatus } from './status.ts';

const error = { code: 'KAFKA_LOG_TRUNCATED', message: 'end 5 is below 9', hint: 'adopt', at: now } as const;

test('ready when everything is up and committed', () => {
  expect(withReadiness(facts())).toMatchObject({ ready: true, reasons: [] });
});

test.each([
  [
    'a dependency is down',
    facts({ dependencies: [{ name: 'catalog lake', up: false, since: now, error: { ...error, message: 'refused' } }] }),
    'catalog lake is down: refused.',
  ],
  ['a topic is missing', facts({ missingTopics: ['shop.x'] }), 'Topic shop.x does not exist.'],
  [
    'a table has stopped',
    facts({ tables: [tableStatus({ state: 'stopped', error })] }),
    'Table shop.orders has stopped: end 5 is below 9.',
  ],
  ['a table is starting', facts({ tables: [tableStatus({ state: 'starting' })] }), 'Table shop.orders is starting.'],
  ['starting', facts({ starting: true }), 'The service is starting.'],
  ['draining', facts({ draining: true }), 'The service drains: it commits what it has read and stops.'],
  [
    'no commit for more than three intervals',
    facts({ tables: [tableStatus({ uncommittedSince: now - 31_000, lastCommit: now - 40_000 })] }),
    'Table shop.orders has not committed for 31 s (interval 10 s).',
  ],
])('not ready: %s', (_, given, reason) => {
  expect(withReadiness(given)).toMatchObject({ ready: false, reasons: [reason] });
});

test.each([
  ['within three intervals', tableStatus({ uncommittedSince: now - 29_000, lastCommit: now - 40_000 })],
  [
    'records waiting that came after the last commit',
    tableStatus({ uncommittedSince: now - 60_000, lastCommit: now - 5000 }),
  ],
  ['idle for an hour', tableStatus({ lastCommit: now - 3_600_000, freshnessSeconds: 3600 })],
])('ready: %s', (_, table) => {
  expect(withReadiness(facts({ tables: [table] })).ready).toBe(true);
});
