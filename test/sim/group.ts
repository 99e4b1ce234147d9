import type { TopicPartition } from '../../src/source/source.ts';
import type { SeededRandom } from './random.ts';
import type { Scheduler } from './scheduler.ts';

interface Member {
  readonly id: string;
  lastSeen: number;
  /** Partitions that this member was given and has not let go of. */
  readonly assigned: Set<string>;
}

/** Without a heartbeat for so long a member is out, ms. */
export const SESSION_TIMEOUT = 6000;

/**
 * The coordinator of one group, as KIP-848 has it: a target assignment; a member is told to let go first; a partition is
 * given only when nobody holds it. A member that was thrown out hears so at its next heartbeat.
 */
export class SimGroup {
  readonly #scheduler: Scheduler;
  readonly #random: SeededRandom;
  readonly #partitions: () => readonly TopicPartition[];
  readonly #members = new Map<string, Member>();
  #shift = 0;

  constructor(scheduler: Scheduler, random: SeededRandom, partitions: () => readonly TopicPartition[]) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#partitions = partitions;
  }

  join(): string {
    const id = this.#random.uuid();
    this.#members.set(id, { id, lastSeen: this.#scheduler.now, assigned: new Set() });
    return id;
  }

  leave(id: string): void {
    this.#members.delete(id);
  }

  /** Moves partitions between members for no reason that they would know. */
  rebalance(): void {
    this.#shift++;
  }

  /** Null: the coordinator does not know this member (any more). `owned`: what it has not let go of yet. */
  heartbeat(id: string, owned: readonly TopicPartition[]): readonly TopicPartition[] | null {
    this.#expire();
    const member = this.#members.get(id);
    if (!member) return null;
    member.lastSeen = this.#scheduler.now;
    const target = this.#target(id);
    const held = new Set(owned.map(keyOf));
    for (const key of member.assigned) if (!held.has(key) && !target.has(key)) member.assigned.delete(key);
    for (const key of target.keys()) {
      const taken = [...this.#members.values()].some((other) => other !== member && other.assigned.has(key));
      if (!taken) member.assigned.add(key);
    }
    return [...target].flatMap(([key, partition]) => (member.assigned.has(key) ? [partition] : []));
  }

  #expire(): void {
    for (const member of this.#members.values())
      if (this.#scheduler.now - member.lastSeen > SESSION_TIMEOUT) this.#members.delete(member.id);
  }

  #target(id: string): Map<string, TopicPartition> {
    const members = [...this.#members.keys()].sort();
    const mine = members.indexOf(id);
    return new Map(
      this.#partitions()
        .filter((_, i) => (i + this.#shift) % members.length === mine)
        .map((partition) => [keyOf(partition), partition]),
    );
  }
}

export function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
