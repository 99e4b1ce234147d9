import { describeGroupsV5, joinGroupV9, leaveGroupV5, syncGroupV5 } from '@platformatic/kafka';
import type { TabletopicError } from '../errors.ts';
import { assignCooperatively } from './assignor.ts';
import {
  assignorName,
  decodeAssignment,
  decodeMember,
  encodeAssignment,
  encodeSubscription,
} from './classic-protocol.ts';
import { type GroupVerdict, judgeGroupError } from './group-errors.ts';
import { sendHeartbeats } from './heartbeats.ts';
import { KafkaCode, partial } from './kafka-errors.ts';
import {
  type GroupOffset,
  type Membership,
  type MembershipOptions,
  type MemberIdentity,
  partitionKey,
} from './membership.ts';
import { Ownership } from './ownership.ts';
import type { TopicPartition } from './source.ts';
import { abortable, Backoff, Wake, within } from './waiting.ts';

type JoinResponse = Awaited<ReturnType<typeof joinGroupV9.api.async>>;

const leaveBound = 2000;

/** What stands in the way of waiting for the next heartbeat. */
type Interruption =
  | { readonly kind: 'rejoin' }
  | { readonly kind: 'lost'; readonly reason: string }
  | { readonly kind: 'fatal'; readonly error: TabletopicError };

/**
 * The classic group protocol with cooperative rebalances (KIP-429) and static membership (KIP-345): JoinGroup 9,
 * SyncGroup 5, Heartbeat 4, LeaveGroup 5. Works with every broker.
 */
export class ClassicGroup implements Membership {
  readonly #options: MembershipOptions;
  readonly #ownership: Ownership;
  readonly #closing = new AbortController();
  readonly #wake = new Wake();
  readonly #backoff: Backoff;
  #member: MemberIdentity = { memberId: '', generation: -1 };
  #interruption: Interruption | null = null;
  /** Topics this member joined with, and, where it leads the group, the partition counts that it assigned. */
  #joinedTopics = '';
  #assignedCounts: ReadonlyMap<string, number> | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(options: MembershipOptions) {
    this.#options = options;
    const { handlers, config, ports, logger } = options;
    this.#ownership = new Ownership(handlers, config.revokeTimeout, ports, logger, this.#closing.signal);
    this.#backoff = new Backoff(ports, 100, 2000);
  }

  start(): void {
    this.#running = this.#run();
  }

  topicsChanged(): void {
    if (this.#member.generation < 0) return;
    const own = this.#options.topics().join('\u0000') !== this.#joinedTopics;
    const counts = this.#assignedCounts;
    const led =
      counts !== null &&
      [...counts].some(([topic, count]) => (this.#options.metadata.topic(topic)?.partitions.length ?? 0) !== count);
    if (own || led) this.#interrupt({ kind: 'rejoin' });
  }

  async commit(offsets: readonly GroupOffset[]): Promise<void> {
    await this.#options.coordinator.commit(this.#member, offsets);
  }

  async close({ leave }: { readonly leave: boolean }): Promise<void> {
    const { memberId } = this.#member;
    this.#closing.abort();
    const { coordinator, ports, logger } = this.#options;
    if (leave && memberId !== '') {
      const member = { memberId, groupInstanceId: coordinator.instanceId, reason: 'closed' };
      // On the heartbeat connection: a JoinGroup may still block the other one.
      const left = coordinator.call('heartbeat', (c) => leaveGroupV5.api.async(c, coordinator.groupId, [member]));
      await within(
        ports.clock,
        leaveBound,
        left.catch((err: unknown) => logger.warn({ err }, 'cannot leave the group; its session will end')),
      );
    }
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      this.#interruption = null;
      const heartbeats = new AbortController();
      try {
        await this.#round(AbortSignal.any([signal, heartbeats.signal]));
      } catch (error) {
        if (signal.aborted) return;
        await this.#failed(error);
      } finally {
        heartbeats.abort();
      }
      if (signal.aborted) return;
      const interruption = this.#interruption as Interruption | null;
      if (interruption?.kind === 'lost') await this.#ownership.lose(interruption.reason);
      if (interruption?.kind === 'fatal') {
        this.#member = { memberId: '', generation: -1 };
        await this.#ownership.lose(interruption.error.message);
        this.#options.handlers.onFatal(interruption.error);
        return;
      }
    }
  }

  /** Joins, moves to the assignment, and stays until something interrupts. `signal` ends this round's heartbeats. */
  async #round(signal: AbortSignal): Promise<void> {
    const topics = this.#options.topics();
    this.#joinedTopics = topics.join('\u0000');
    const returned = this.#options.coordinator.instanceId !== null && this.#member.generation < 0;
    const joined = await this.#join(topics);
    const { generationId: generation, memberId } = joined;
    this.#member = { memberId, generation };
    // From here on, since the leader may take its time, and so may a revocation.
    void sendHeartbeats(this.#member, this.#options, signal, (verdict) => this.#judged(verdict));
    const assignment = await this.#sync(joined);
    this.#backoff.reset();
    this.#options.logger.info(
      { group: this.#options.coordinator.groupId, generation, partitions: assignment.length },
      'joined the group',
    );
    const stillMember = (): boolean =>
      this.#member.generation === generation &&
      this.#interruption?.kind !== 'lost' &&
      this.#interruption?.kind !== 'fatal';
    const revoked = await this.#ownership.moveTo(assignment, stillMember);
    // The acknowledgement: whoever waits for what was revoked gets it in the next round.
    if (revoked) this.#interrupt({ kind: 'rejoin' });
    else if (returned) void this.#joinWhereLeftOut(topics, signal);
    while (this.#interruption === null && !signal.aborted)
      await this.#wake.wait(this.#options.ports.clock, 60_000, signal);
  }

  /**
   * Joins again where the assignment in force gives a partition of these topics to nobody. A static member that comes back
   * finds the assignment of before, without a rebalance: had it died between two rounds of a cooperative one, having to
   * give up what another is to get, nobody would ever begin the second. Joining with a generation does: the metadata differ.
   */
  async #joinWhereLeftOut(topics: readonly string[], signal: AbortSignal): Promise<void> {
    const { coordinator, metadata, logger } = this.#options;
    try {
      const describe = coordinator.call('heartbeat', (c) =>
        describeGroupsV5.api.async(c, [coordinator.groupId], false),
      );
      const [group] = (await abortable(describe, signal)).groups;
      // A rebalance that is under way gives everything to somebody.
      if (group?.groupState !== 'Stable') return;
      const given = new Set(
        group.members.flatMap(({ memberAssignment: bytes }) =>
          bytes.length === 0 ? [] : decodeAssignment(bytes).map(partitionKey),
        ),
      );
      const leftOut = topics.some((topic) =>
        metadata.topic(topic)?.partitions.some((_, partition) => !given.has(partitionKey({ topic, partition }))),
      );
      if (leftOut) this.#interrupt({ kind: 'rejoin' });
    } catch (err) {
      if (signal.aborted) return;
      logger.warn({ err }, 'cannot see what others of the group have; joining again');
      this.#interrupt({ kind: 'rejoin' });
    }
  }

  async #join(topics: readonly string[]): Promise<JoinResponse> {
    const { coordinator, config } = this.#options;
    const metadata = encodeSubscription(topics, this.#ownership.owned, this.#member.generation);
    for (;;) {
      const { memberId } = this.#member;
      const protocols = [{ name: assignorName, metadata }];
      const join = coordinator.call('join', (c) =>
        partialJoin(
          joinGroupV9.api.async(
            c,
            coordinator.groupId,
            config.sessionTimeout,
            config.rebalanceTimeout,
            memberId,
            coordinator.instanceId,
            'consumer',
            protocols,
            null,
          ),
        ),
      );
      const response = await abortable(join, this.#closing.signal);
      if (response.errorCode !== KafkaCode.MEMBER_ID_REQUIRED) return response;
      // KIP-394: the id comes first, so that a client that vanishes leaves no member behind.
      this.#member = { memberId: response.memberId, generation: this.#member.generation };
    }
  }

  async #sync(joined: JoinResponse): Promise<TopicPartition[]> {
    const { coordinator } = this.#options;
    const leads = joined.leader === joined.memberId;
    const assignments = leads ? await this.#assign(joined) : [];
    if (!leads) this.#assignedCounts = null;
    const sync = coordinator.call('join', (c) =>
      syncGroupV5.api.async(
        c,
        coordinator.groupId,
        joined.generationId,
        joined.memberId,
        coordinator.instanceId,
        joined.protocolType,
        joined.protocolName,
        assignments,
      ),
    );
    return decodeAssignment((await abortable(sync, this.#closing.signal)).assignment);
  }

  async #assign(joined: JoinResponse): Promise<{ memberId: string; assignment: Buffer }[]> {
    const { metadata, watch, logger } = this.#options;
    const members = joined.members.map((m) => decodeMember(m.memberId, m.metadata ?? Buffer.alloc(0)));
    const topics = [...new Set(members.flatMap((m) => m.topics))].sort();
    const answer = await abortable(metadata.request(topics), this.#closing.signal);
    const counts = new Map(topics.map((t) => [t, answer.topics.get(t)?.partitions.length ?? 0]));
    this.#assignedCounts = counts;
    watch(topics);
    // A static leader that came back finds the assignment of before in force (KIP-814).
    if (joined.skipAssignment) return [];
    const assigned = assignCooperatively(members, counts);
    logger.debug({ members: members.length, topics: topics.length }, 'assigned the group’s partitions');
    return [...assigned].map(([memberId, partitions]) => ({ memberId, assignment: encodeAssignment(partitions) }));
  }

  #lose(forget: boolean, reason: string): void {
    this.#member = { memberId: forget ? '' : this.#member.memberId, generation: -1 };
    this.#interrupt({ kind: 'lost', reason });
  }

  /** A graver interruption replaces a lighter one. */
  #interrupt(interruption: Interruption): void {
    if (this.#interruption === null || this.#interruption.kind === 'rejoin') this.#interruption = interruption;
    this.#wake.notify();
  }

  async #failed(error: unknown): Promise<void> {
    const { coordinator, logger } = this.#options;
    const verdict = judgeGroupError(error, coordinator.groupId, coordinator.instanceId);
    if (verdict.kind !== 'retry') return this.#judged(verdict);
    logger.warn({ err: verdict.error }, 'cannot join the group; tried again');
    await this.#backoff.wait(this.#closing.signal);
  }

  #judged(verdict: Exclude<GroupVerdict, { kind: 'retry' }>): void {
    if (verdict.kind === 'lost') this.#lose(verdict.forget, verdict.reason);
    else this.#interrupt(verdict);
  }
}

/** MEMBER_ID_REQUIRED is an error whose response is needed; other errors pass through. */
async function partialJoin(call: Promise<JoinResponse>): Promise<JoinResponse> {
  const response = await partial(call);
  // A refusal is a rejection of the call, which is given on as it was.
  return response.errorCode === KafkaCode.MEMBER_ID_REQUIRED ? response : await call;
}
