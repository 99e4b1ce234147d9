import type { PausedStatus, ServiceFacts, ServiceStatus, TableStatus, WaitingStatus } from './status.ts';

/** Commit intervals without a commit, with records waiting, after which a table counts as unable to commit. */
const patience = 3;

/**
 * Readiness: everything the service needs is up, every table goes on, and what was read gets committed. Not readiness
 * but liveness is that the event loop answers at all (`/livez`).
 *
 * Invariant 9: a service that cannot commit says so.
 * Breaks: test/ops/health.test.ts, "not ready".
 */
export function readinessReasons(facts: ServiceFacts): string[] {
  return [
    ...(facts.starting ? ['The service is starting.'] : []),
    ...(facts.draining ? ['The service drains: it commits what it has read and stops.'] : []),
    ...facts.dependencies
      .filter((dependency) => !dependency.up)
      .map((dependency) => `${dependency.name} is down${dependency.error ? `: ${dependency.error.message}` : ''}.`),
    ...facts.missingTopics.map((topic) => `Topic ${topic} does not exist.`),
    ...facts.tables.flatMap((table) => tableReasons(table, facts.now)),
  ];
}

export function withReadiness(facts: ServiceFacts): ServiceStatus {
  const reasons = readinessReasons(facts);
  return { ...facts, ready: reasons.length === 0, reasons };
}

function tableReasons(table: TableStatus, now: number): string[] {
  if (table.state === 'stopped')
    return [`Table ${table.table} has stopped${table.error ? `: ${table.error.message}` : ''}.`];
  if (table.state === 'starting') return [`Table ${table.table} is starting.`];
  return [
    ...table.paused.map((paused) => pausedReason(table.table, paused)),
    ...table.waiting.map((change) => waitingReason(table.table, change)),
    ...commitReasons(table, now),
  ];
}

function pausedReason(table: string, { topic, partition, offset, code, reason }: PausedStatus): string {
  return `Table ${table}: topic ${topic} is paused, too many of its records are dead letters; the next is ${topic}-${partition} offset ${offset}: ${code}: ${reason}.`;
}

function waitingReason(table: string, { changes, schema, partitions, command }: WaitingStatus): string {
  const behind = `${partitions.join(', ')} ${partitions.length === 1 ? 'waits' : 'wait'}`;
  return `Table ${table}: ${behind} for approval of ${schema}: ${changes.join(', ')}. ${command}`;
}

function commitReasons(table: TableStatus, now: number): string[] {
  if (table.uncommittedSince === null) return [];
  const waiting = (now - Math.max(table.uncommittedSince, table.lastCommit ?? 0)) / 1000;
  if (waiting <= patience * table.commitIntervalSeconds) return [];
  return [
    `Table ${table.table} has not committed for ${Math.round(waiting)} s (interval ${table.commitIntervalSeconds} s)${table.error ? `: ${table.error.message}` : ''}.`,
  ];
}
