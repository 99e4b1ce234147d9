import { heartbeatV4 } from '@platformatic/kafka';
import { type GroupVerdict, judgeGroupError } from './group-errors.ts';
import type { MembershipOptions, MemberIdentity } from './membership.ts';
import { abortable, Backoff, pause } from './waiting.ts';

/** As Java's heartbeat.interval.ms; a third of the session where that is shorter. */
const longestInterval = 3000;

/**
 * Heartbeats of one generation of a classic group, until the signal aborts or the member is lost or refused. Verdicts
 * other than `retry` are told; one that comes after the signal is dropped, since it is about a generation that is over.
 */
export async function sendHeartbeats(
  member: MemberIdentity,
  options: MembershipOptions,
  signal: AbortSignal,
  tell: (verdict: Exclude<GroupVerdict, { kind: 'retry' }>) => void,
): Promise<void> {
  const { coordinator, config, ports, logger } = options;
  const { groupId, instanceId } = coordinator;
  const interval = Math.min(longestInterval, config.sessionTimeout / 3);
  const backoff = new Backoff(ports, 100, interval);
  let failed = false;
  while (failed ? await backoff.wait(signal) : await pause(ports.clock, interval, signal)) {
    try {
      const beat = coordinator.call('heartbeat', (c) =>
        heartbeatV4.api.async(c, groupId, member.generation, member.memberId, instanceId),
      );
      await abortable(beat, signal);
      failed = false;
      backoff.reset();
    } catch (error) {
      if (signal.aborted) return;
      const verdict = judgeGroupError(error, groupId, instanceId);
      failed = verdict.kind === 'retry';
      if (verdict.kind === 'retry') logger.warn({ err: verdict.error }, 'heartbeat failed; tried again');
      else tell(verdict);
      if (verdict.kind === 'lost' || verdict.kind === 'fatal') return;
    }
  }
}
