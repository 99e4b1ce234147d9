import { apiVersionsV3, consumerGroupHeartbeatV1 } from '@platformatic/kafka';
import { TabletopicError } from '../errors.ts';
import { judgeGroupError } from './group-errors.ts';
import { type GroupOffset, groupByTopic, type Membership, type MembershipOptions, without } from './membership.ts';
import { Ownership } from './ownership.ts';
import type { TopicPartition } from './source.ts';
import { abortable, Backoff, Wake, within } from './waiting.ts';

type Response = Awaited<ReturnType<typeof consumerGroupHeartbeatV1.api.async>>;
type Target = readonly (TopicPartition & { readonly topicId: string })[];

const leaveBound = 2000;
/** Member epochs with a meaning of their own (KIP-848). */
const joinEpoch = 0;
const leaveEpoch = -1;
const leaveForNowEpoch = -2;

/**
 * The group protocol of KIP-848 (ConsumerGroupHeartbeat 1, Kafka 4.0 and later): the coordinator assigns, members
 * acknowledge by what they say they own.
 *
 * Maintained invariant: a partition is said to be owned until its revocation has been awaited, so the coordinator gives
 * it to nobody else before; heartbeats go on meanwhile.
 */
export class ConsumerGroup implements Membership {
  readonly #options: MembershipOptions;
  readonly #ownership: Ownership;
  readonly #closing = new AbortController();
  readonly #wake = new Wake();
  readonly #backoff: Backoff;
  /** Kept over the loss of a session: the member returns at epoch 0. */
  readonly #memberId: string;
  #epoch = joinEpoch;
  #interval = 1000;
  /** The next heartbeat says everything: something changed, or the coordinator may have missed the last one. */
  #complete = true;
  #supported = false;
  #joinedTopics = '';
  #target: Target | null = null;
  readonly #topicIds = new Map<string, string>();
  #moving: Promise<void> | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(options: MembershipOptions) {
    this.#options = options;
    const { handlers, config, ports, logger } = options;
    this.#memberId = ports.ids.uuid();
    this.#ownership = new Ownership(handlers, config.revokeTimeout, ports, logger, this.#closing.signal);
    this.#backoff = new Backoff(ports, 100, 2000);
  }

  start(): void {
    this.#running = this.#run();
  }

  topicsChanged(): void {
    if (this.#options.topics().join('\u0000') === this.#joinedTopics) return;
    this.#complete = true;
    this.#wake.notify();
  }

  async commit(offsets: readonly GroupOffset[]): Promise<void> {
    await this.#options.coordinator.commit({ memberId: this.#memberId, generation: this.#epoch }, offsets);
  }

  async close({ leave }: { readonly leave: boolean }): Promise<void> {
    const member = this.#epoch > joinEpoch;
    this.#closing.abort();
    await this.#running;
    await this.#moving;
    const { coordinator, ports, logger } = this.#options;
    // A static member that will come back says so: its partitions wait for it until its session ends.
    const epoch = leave ? leaveEpoch : coordinator.instanceId === null ? null : leaveForNowEpoch;
    if (!member || epoch === null) return;
    const left = this.#send(epoch, [], null).catch((err: unknown) =>
      logger.warn({ err }, 'cannot leave the group; its session will end'),
    );
    await within(ports.clock, leaveBound, left);
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    const { ports } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#checkSupport(signal);
        await this.#heartbeat(signal);
        this.#backoff.reset();
      } catch (error) {
        if (signal.aborted || (await this.#failed(error))) return;
        continue;
      }
      this.#move();
      if (!this.#complete) await this.#wake.wait(ports.clock, this.#interval, signal);
    }
  }

  /** A broker closes the connection on a request that it does not know, without a word: so ask first. */
  async #checkSupport(signal: AbortSignal): Promise<void> {
    if (this.#supported) return;
    const { coordinator } = this.#options;
    const { key, version } = consumerGroupHeartbeatV1.api;
    const { apiKeys } = await abortable(
      coordinator.call('heartbeat', (c) => apiVersionsV3.api.async(c, 'tabletopic', '1')),
      signal,
    );
    if (!apiKeys.some((a) => a.apiKey === key && a.minVersion <= version && a.maxVersion >= version)) {
      throw new TabletopicError(
        'CONFIG_INVALID',
        `group ${coordinator.groupId}: the broker does not speak the group protocol of KIP-848`,
        {
          hint: 'Set `kafka.groupProtocol: classic`, or use brokers of Kafka 4.0 or later.',
        },
      );
    }
    this.#supported = true;
  }

  async #heartbeat(signal: AbortSignal): Promise<void> {
    const topics = this.#options.topics();
    const joining = this.#epoch === joinEpoch;
    const complete = this.#complete || joining;
    this.#complete = false;
    const owned = joining ? [] : this.#ownership.owned;
    const response = await abortable(
      this.#send(this.#epoch, complete ? topics : null, complete ? owned : null),
      signal,
    );
    if (complete) this.#joinedTopics = topics.join('\u0000');
    if (response.memberEpoch !== this.#epoch)
      this.#options.logger.debug({ epoch: response.memberEpoch }, 'member epoch');
    this.#epoch = response.memberEpoch;
    this.#interval = response.heartbeatIntervalMs;
    if (response.assignment !== null) this.#target = await this.#resolve(response.assignment.topicPartitions, signal);
  }

  async #send(
    epoch: number,
    topics: readonly string[] | null,
    owned: readonly TopicPartition[] | null,
  ): Promise<Response> {
    const { coordinator, config } = this.#options;
    const rebalanceTimeout = topics === null ? -1 : config.rebalanceTimeout;
    const said =
      owned === null
        ? null
        : groupByTopic(owned).map(({ topic, partitions }) => ({ topicId: this.#topicIds.get(topic)!, partitions }));
    return await coordinator.call('heartbeat', (c) =>
      consumerGroupHeartbeatV1.api.async(
        c,
        coordinator.groupId,
        this.#memberId,
        epoch,
        coordinator.instanceId,
        null,
        rebalanceTimeout,
        topics === null ? null : [...topics],
        null,
        null,
        said,
      ),
    );
  }

  /** The assignment names topics by id. One that the metadata does not know yet waits for the next complete heartbeat. */
  async #resolve(assigned: readonly { topicId: string; partitions: number[] }[], signal: AbortSignal): Promise<Target> {
    const { metadata } = this.#options;
    const names = (): Map<string, string> => new Map([...metadata.topics()].map((t) => [t.id, t.name]));
    let byId = names();
    if (assigned.some((a) => !byId.has(a.topicId))) {
      await abortable(metadata.request([...this.#options.topics()]), signal);
      byId = names();
    }
    const target: (TopicPartition & { topicId: string })[] = [];
    for (const { topicId, partitions } of assigned) {
      const topic = byId.get(topicId);
      if (topic === undefined) metadata.refreshSoon();
      else for (const partition of partitions) target.push({ topic, partition, topicId });
    }
    return target;
  }

  /** Moves to the target in the background, one move at a time; then tells the coordinator. */
  #move(): void {
    const target = this.#target;
    if (target === null || this.#moving !== null || this.#closing.signal.aborted) return;
    for (const { topic, topicId } of target) this.#topicIds.set(topic, topicId);
    const { owned } = this.#ownership;
    if (without(owned, target).length === 0 && without(target, owned).length === 0) return;
    this.#moving = this.#ownership
      .moveTo(target, () => this.#epoch > joinEpoch)
      .then(() => {
        this.#moving = null;
        this.#complete = true;
        this.#wake.notify();
      });
  }

  /** True when the member must not go on. */
  async #failed(error: unknown): Promise<boolean> {
    const { coordinator, logger, handlers } = this.#options;
    const verdict = judgeGroupError(error, coordinator.groupId, coordinator.instanceId);
    this.#complete = true;
    switch (verdict.kind) {
      case 'lost':
        await this.#giveUp(verdict.reason);
        return false;
      case 'rejoin':
      case 'retry':
        logger.warn({ err: error }, 'group heartbeat failed; tried again');
        await this.#backoff.wait(this.#closing.signal);
        return false;
      case 'fatal':
        return await this.#stop(verdict.error, handlers.onFatal);
    }
  }

  async #stop(error: TabletopicError, onFatal: (error: TabletopicError) => void): Promise<true> {
    await this.#giveUp(error.message);
    onFatal(error);
    return true;
  }

  async #giveUp(reason: string): Promise<void> {
    this.#epoch = joinEpoch;
    this.#target = null;
    await this.#moving;
    await this.#ownership.lose(reason);
  }
}
