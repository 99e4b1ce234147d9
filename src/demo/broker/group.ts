import type { Ports } from '../../ports.ts';
import { BrokerError } from './error-codes.ts';
import { after } from './timer.ts';

export interface JoinRequest {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly protocolType: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocols: readonly { readonly name: string; readonly metadata: Buffer }[];
  /** KIP-394: a member without an id is given one and asked to join again with it. */
  readonly requireMemberId: boolean;
  /** JoinGroup 9: a static leader that returns may be told to skip the assignment. */
  readonly supportsSkipping: boolean;
}

export interface JoinResponse {
  readonly errorCode: number;
  readonly generationId: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leader: string;
  readonly skipAssignment: boolean;
  readonly memberId: string;
  readonly members: readonly {
    readonly memberId: string;
    readonly groupInstanceId: string | null;
    readonly metadata: Buffer;
  }[];
}

export interface GroupMember {
  id: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  protocols: JoinRequest['protocols'];
  assignment: Buffer;
  /** Answers the JoinGroup or SyncGroup request that waits. */
  joining?: PromiseWithResolvers<JoinResponse>;
  syncing?: PromiseWithResolvers<Buffer>;
  cancelSession?: () => void;
}

export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable';

/**
 * One classic consumer group (KIP-62, static members KIP-345, member ids KIP-394).
 *
 * Invariants:
 * - a generation has one leader and one protocol, which every member supports;
 * - a member with a waiting JoinGroup is not expired; every other member is, a session timeout after its last sign of life;
 * - an instance id belongs to one member id at a time: whoever holds an older one is fenced.
 */
export class Group {
  readonly id: string;
  state: GroupState = 'Empty';
  generation = 0;
  protocolType: string | null = null;
  protocol: string | null = null;
  leader: string | null = null;
  readonly members = new Map<string, GroupMember>();
  readonly #ports: Ports;
  readonly #pendingIds = new Set<string>();
  #cancelRebalance: (() => void) | undefined;

  constructor(id: string, ports: Ports) {
    this.id = id;
    this.#ports = ports;
  }

  join(request: JoinRequest): Promise<JoinResponse> {
    if (request.protocols.length === 0 || (this.members.size > 0 && !this.#fits(request)))
      throw new BrokerError('INCONSISTENT_GROUP_PROTOCOL');
    const instance = request.groupInstanceId === null ? undefined : this.#byInstance(request.groupInstanceId);
    if (request.memberId === '') return instance ? this.#replaceStatic(instance, request) : this.#joinNew(request);
    if (this.#pendingIds.delete(request.memberId)) return this.#add(request.memberId, request);
    const member = this.#member(request.memberId, request.groupInstanceId);
    return this.#rejoin(member, request);
  }

  #joinNew(request: JoinRequest): Promise<JoinResponse> {
    const memberId = `${request.groupInstanceId ?? request.clientId}-${this.#ports.ids.uuid()}`;
    if (request.groupInstanceId === null && request.requireMemberId) {
      this.#pendingIds.add(memberId);
      after(this.#ports.clock, request.sessionTimeoutMs, () => this.#pendingIds.delete(memberId));
      return Promise.resolve({
        ...this.#joinAnswer(memberId),
        errorCode: new BrokerError('MEMBER_ID_REQUIRED').code,
        generationId: -1,
      });
    }
    return this.#add(memberId, request);
  }

  #add(id: string, request: JoinRequest): Promise<JoinResponse> {
    const member: GroupMember = {
      id,
      instanceId: request.groupInstanceId,
      clientId: request.clientId,
      sessionTimeoutMs: request.sessionTimeoutMs,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs,
      protocols: request.protocols,
      assignment: Buffer.alloc(0),
    };
    this.members.set(id, member);
    this.protocolType = request.protocolType;
    return this.#await(member);
  }

  /** A restarted static member takes the place of its former self, in a stable group without a rebalance. */
  #replaceStatic(old: GroupMember, request: JoinRequest): Promise<JoinResponse> {
    const id = `${old.instanceId!}-${this.#ports.ids.uuid()}`;
    const fenced = new BrokerError('FENCED_INSTANCE_ID');
    old.joining?.resolve({ ...this.#joinAnswer(old.id), errorCode: fenced.code, generationId: -1 });
    old.syncing?.reject(fenced);
    old.cancelSession?.();
    const formerLeader = this.leader;
    this.members.delete(old.id);
    if (this.leader === old.id) this.leader = id;
    const member: GroupMember = {
      ...old,
      id,
      sessionTimeoutMs: request.sessionTimeoutMs,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs,
    };
    delete member.joining;
    delete member.syncing;
    delete member.cancelSession;
    this.members.set(id, member);
    const changed = this.#protocolsDiffer(member, request);
    member.protocols = request.protocols;
    if (this.state !== 'Stable' || changed) return this.#await(member);
    this.#alive(member);
    if (this.leader !== id) return Promise.resolve(this.#joinAnswer(id));
    // Before JoinGroup 9 a leader cannot be told to skip the assignment, so it is shown its former id as the leader's.
    if (!request.supportsSkipping)
      return Promise.resolve({ ...this.#joinAnswer(id), leader: formerLeader!, members: [] });
    return Promise.resolve({ ...this.#joinAnswer(id), skipAssignment: true });
  }

  #rejoin(member: GroupMember, request: JoinRequest): Promise<JoinResponse> {
    const changed = this.#protocolsDiffer(member, request);
    member.protocols = request.protocols;
    member.sessionTimeoutMs = request.sessionTimeoutMs;
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
    const stays = this.state === 'CompletingRebalance' || (this.state === 'Stable' && member.id !== this.leader);
    if (!stays || changed) return this.#await(member);
    this.#alive(member);
    return Promise.resolve(this.#joinAnswer(member.id));
  }

  /** The answer comes when the rebalance does; a JoinGroup that waits already is answered with this one. */
  #await(member: GroupMember): Promise<JoinResponse> {
    member.cancelSession?.();
    const former = member.joining;
    member.joining = Promise.withResolvers();
    if (former) member.joining.promise.then(former.resolve, former.reject);
    const { promise } = member.joining;
    if (this.state === 'PreparingRebalance') this.#completeIfAllJoined();
    else this.#prepare();
    return promise;
  }

  #prepare(): void {
    for (const member of this.members.values()) {
      member.syncing?.reject(new BrokerError('REBALANCE_IN_PROGRESS'));
      delete member.syncing;
    }
    this.state = 'PreparingRebalance';
    const timeout = Math.max(0, ...[...this.members.values()].map((member) => member.rebalanceTimeoutMs));
    this.#cancelRebalance?.();
    this.#cancelRebalance = after(this.#ports.clock, timeout, () => this.#expireRebalance());
    this.#completeIfAllJoined();
  }

  #completeIfAllJoined(): void {
    if ([...this.members.values()].every((member) => member.joining)) this.#complete();
  }

  /** Dynamic members that did not join in time are out; static ones stay until their session ends. */
  #expireRebalance(): void {
    for (const member of this.members.values()) if (!member.joining && member.instanceId === null) this.#drop(member);
    if (this.members.size > 0 && ![...this.members.values()].some((member) => member.joining)) {
      // Only static members, all away: their sessions decide.
      this.#cancelRebalance = after(this.#ports.clock, 1000, () => this.#expireRebalance());
      return;
    }
    this.#complete();
  }

  #complete(): void {
    this.#cancelRebalance?.();
    this.#cancelRebalance = undefined;
    this.generation++;
    if (this.members.size === 0) {
      this.state = 'Empty';
      this.protocol = null;
      this.leader = null;
      return;
    }
    this.state = 'CompletingRebalance';
    this.protocol = this.#choose();
    if (this.leader === null || !this.members.get(this.leader)?.joining)
      this.leader = [...this.members.values()].find((member) => member.joining)!.id;
    for (const member of this.members.values()) {
      member.assignment = Buffer.alloc(0);
      const { joining } = member;
      delete member.joining;
      this.#alive(member);
      joining?.resolve(this.#joinAnswer(member.id));
    }
  }

  #joinAnswer(memberId: string): JoinResponse {
    const members =
      memberId !== this.leader
        ? []
        : [...this.members.values()].map((member) => ({
            memberId: member.id,
            groupInstanceId: member.instanceId,
            metadata: member.protocols.find((one) => one.name === this.protocol)?.metadata ?? Buffer.alloc(0),
          }));
    return {
      errorCode: 0,
      generationId: this.generation,
      protocolType: this.protocolType,
      protocolName: this.protocol ?? '',
      leader: this.leader ?? '',
      skipAssignment: false,
      memberId,
      members,
    };
  }

  /** The assignment of the member; waits for the leader's. */
  async sync(
    memberId: string,
    instanceId: string | null,
    generation: number,
    assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[],
  ): Promise<Buffer> {
    const member = this.#current(memberId, instanceId, generation);
    if (this.state === 'PreparingRebalance') throw new BrokerError('REBALANCE_IN_PROGRESS');
    this.#alive(member);
    if (this.state === 'Stable') return member.assignment;
    if (memberId !== this.leader) return (member.syncing ??= Promise.withResolvers()).promise;
    for (const { memberId: id, assignment } of assignments) {
      const assigned = this.members.get(id);
      if (assigned) assigned.assignment = Buffer.from(assignment);
    }
    this.state = 'Stable';
    for (const waiting of this.members.values()) {
      waiting.syncing?.resolve(waiting.assignment);
      delete waiting.syncing;
    }
    return member.assignment;
  }

  heartbeat(memberId: string, instanceId: string | null, generation: number): void {
    this.#alive(this.#current(memberId, instanceId, generation));
    if (this.state === 'PreparingRebalance') throw new BrokerError('REBALANCE_IN_PROGRESS');
  }

  /** By member id, or a static member by its instance id alone. */
  leave(memberId: string, instanceId: string | null): void {
    const member =
      memberId === '' && instanceId !== null ? this.#byInstance(instanceId) : this.#member(memberId, instanceId);
    if (!member) throw new BrokerError('UNKNOWN_MEMBER_ID');
    this.#drop(member);
    this.#afterDrop();
  }

  /** Whether this member may commit offsets now. @throws BrokerError */
  checkCommit(memberId: string, instanceId: string | null, generation: number): void {
    // Outside of a group's generations: a client that assigns itself, allowed while no member is there.
    if (generation < 0 && memberId === '' && this.members.size === 0) return;
    this.#alive(this.#current(memberId, instanceId, generation));
    if (this.state === 'CompletingRebalance') throw new BrokerError('REBALANCE_IN_PROGRESS');
  }

  close(): void {
    this.#cancelRebalance?.();
    for (const member of this.members.values()) member.cancelSession?.();
  }

  #current(memberId: string, instanceId: string | null, generation: number): GroupMember {
    const member = this.#member(memberId, instanceId);
    if (generation !== this.generation) throw new BrokerError('ILLEGAL_GENERATION');
    return member;
  }

  #member(memberId: string, instanceId: string | null): GroupMember {
    if (instanceId !== null) {
      const holder = this.#byInstance(instanceId);
      if (holder && holder.id !== memberId) throw new BrokerError('FENCED_INSTANCE_ID');
    }
    const member = this.members.get(memberId);
    if (!member) throw new BrokerError('UNKNOWN_MEMBER_ID');
    return member;
  }

  #byInstance(instanceId: string): GroupMember | undefined {
    return [...this.members.values()].find((member) => member.instanceId === instanceId);
  }

  #alive(member: GroupMember): void {
    member.cancelSession?.();
    member.cancelSession = after(this.#ports.clock, member.sessionTimeoutMs, () => {
      if (this.members.get(member.id) !== member || member.joining) return;
      this.#drop(member);
      this.#afterDrop();
    });
  }

  #drop(member: GroupMember): void {
    member.cancelSession?.();
    member.joining?.resolve({
      ...this.#joinAnswer(member.id),
      errorCode: new BrokerError('UNKNOWN_MEMBER_ID').code,
      generationId: -1,
    });
    member.syncing?.reject(new BrokerError('UNKNOWN_MEMBER_ID'));
    this.members.delete(member.id);
  }

  #afterDrop(): void {
    if (this.state === 'PreparingRebalance') this.#completeIfAllJoined();
    else this.#prepare();
  }

  #fits(request: JoinRequest): boolean {
    if (request.protocolType !== this.protocolType) return false;
    const others = [...this.members.values()].filter(
      (member) =>
        member.id !== request.memberId && (member.instanceId === null || member.instanceId !== request.groupInstanceId),
    );
    return (
      others.length === 0 ||
      request.protocols.some(({ name }) => others.every((member) => member.protocols.some((one) => one.name === name)))
    );
  }

  #protocolsDiffer(member: GroupMember, request: JoinRequest): boolean {
    return (
      member.protocols.length !== request.protocols.length ||
      member.protocols.some(
        (one, i) => one.name !== request.protocols[i]!.name || !one.metadata.equals(request.protocols[i]!.metadata),
      )
    );
  }

  /** Each member votes for the first of its protocols that all support. */
  #choose(): string {
    const members = [...this.members.values()];
    const common = members[0]!.protocols
      .map((one) => one.name)
      .filter((name) => members.every((member) => member.protocols.some((one) => one.name === name)));
    const votes = new Map<string, number>();
    for (const member of members) {
      const vote = member.protocols.find((one) => common.includes(one.name))!.name;
      votes.set(vote, (votes.get(vote) ?? 0) + 1);
    }
    return [...votes].reduce((best, one) => (one[1] > best[1] ? one : best))[0];
  }
}
