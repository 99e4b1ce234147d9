import { type Connection, findCoordinatorV4, offsetCommitV8, offsetCommitV9 } from '@platformatic/kafka';
import type pino from 'pino';
import type { KafkaConfig } from '../config/config.ts';
import { TabletopicError } from '../errors.ts';
import type { Connections } from './connection.ts';
import { KafkaCode, kafkaError, partial, protocolCode } from './kafka-errors.ts';
import type { GroupOffset, MemberIdentity } from './membership.ts';

/** `join` may block for the whole of a rebalance; heartbeats and commits must get through meanwhile. */
export type CoordinatorPurpose = 'join' | 'heartbeat';

const movedCodes: ReadonlySet<number> = new Set([KafkaCode.NOT_COORDINATOR, KafkaCode.COORDINATOR_NOT_AVAILABLE]);

/**
 * The broker that coordinates the group, found again when it moves; two connections of its own. Errors of the protocol
 * pass through for the caller to read (`protocolCode`); a connection that failed is dropped.
 */
export class Coordinator {
  readonly groupId: string;
  readonly instanceId: string | null;
  readonly #connections: Connections;
  readonly #logger: pino.Logger;
  readonly #joinTimeout: number;
  readonly #offsetCommit: typeof offsetCommitV9.api;
  #node: number | null = null;
  #finding: Promise<number> | null = null;

  constructor(config: KafkaConfig, connections: Connections, logger: pino.Logger) {
    this.groupId = config.groupId;
    this.instanceId = config.instanceId;
    // The broker may hold a JoinGroup for the whole rebalance timeout.
    this.#joinTimeout = config.rebalanceTimeout + 10_000;
    // Versions 8 and 9 are laid out alike; 9 (Kafka 3.6) reads the generation as a member epoch (KIP-848).
    this.#offsetCommit = config.groupProtocol === 'consumer' ? offsetCommitV9.api : offsetCommitV8.api;
    this.#connections = connections;
    this.#logger = logger;
  }

  async call<R>(purpose: CoordinatorPurpose, request: (connection: Connection) => Promise<R>): Promise<R> {
    const node = this.#node ?? (await this.#find());
    let connection: Connection;
    try {
      const timeout = purpose === 'join' ? this.#joinTimeout : undefined;
      connection = await this.#connections.get(node, `group/${purpose}`, timeout);
    } catch (error) {
      this.#node = null;
      throw error;
    }
    try {
      return await request(connection);
    } catch (error) {
      const code = protocolCode(error);
      if (code === null) this.#connections.drop(connection);
      if (code === null || movedCodes.has(code)) this.#node = null;
      throw error;
    }
  }

  /** Throws when the coordinator refuses an offset; `KafkaCode` of the refusal by `protocolCode(error.cause)`. */
  async commit(member: MemberIdentity, offsets: readonly GroupOffset[]): Promise<void> {
    const topics = [...Map.groupBy(offsets, (o) => o.topic)].map(([name, list]) => ({
      name,
      partitions: list.map((o) => ({
        partitionIndex: o.partition,
        committedOffset: BigInt(o.offset),
        committedLeaderEpoch: o.leaderEpoch,
        committedMetadata: o.metadata,
      })),
    }));
    // Only a member is fenced by its instance; outside of the group the field must be null.
    const instanceId = member.generation >= 0 ? this.instanceId : null;
    await this.call('heartbeat', (c) =>
      this.#offsetCommit.async(c, this.groupId, member.generation, member.memberId, instanceId, topics),
    );
  }

  async #find(): Promise<number> {
    this.#finding ??= this.#ask().finally(() => {
      this.#finding = null;
    });
    return await this.#finding;
  }

  async #ask(): Promise<number> {
    const connection = await this.#connections.any();
    let answer;
    try {
      const response = await partial(findCoordinatorV4.api.async(connection, 0, [this.groupId]));
      answer = response.coordinators[0];
    } catch (error) {
      this.#connections.drop(connection);
      throw kafkaError(error, 'the search for the group’s coordinator');
    }
    if (answer === undefined || answer.errorCode === KafkaCode.GROUP_AUTHORIZATION_FAILED) {
      throw new TabletopicError(
        'KAFKA_AUTH',
        `group ${this.groupId}: this user may not use it (ACL READ on the group)`,
      );
    }
    if (answer.errorCode !== 0) {
      throw new TabletopicError(
        'KAFKA_UNAVAILABLE',
        `group ${this.groupId} has no coordinator yet (error ${answer.errorCode})`,
      );
    }
    this.#connections.learn(answer);
    this.#node = answer.nodeId;
    this.#logger.debug({ group: this.groupId, broker: answer.nodeId }, 'found the group’s coordinator');
    return answer.nodeId;
  }
}
