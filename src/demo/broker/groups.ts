import type { Ports } from '../../ports.ts';
import { Group } from './group.ts';

export interface CommittedOffset {
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string | null;
}

/** Offsets by `topic/partition`. */
export type GroupOffsets = Map<string, CommittedOffset>;

/** Group coordinator: the groups and their committed offsets. */
export class Groups {
  readonly #ports: Ports;
  readonly #groups = new Map<string, Group>();
  readonly #offsets = new Map<string, GroupOffsets>();

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  /** The group, made where it is missing. */
  group(id: string): Group {
    let group = this.#groups.get(id);
    if (!group) this.#groups.set(id, (group = new Group(id, this.#ports)));
    return group;
  }

  find(id: string): Group | undefined {
    return this.#groups.get(id);
  }

  all(): Group[] {
    return [...this.#groups.values()];
  }

  offsets(id: string): GroupOffsets {
    let offsets = this.#offsets.get(id);
    if (!offsets) this.#offsets.set(id, (offsets = new Map()));
    return offsets;
  }

  delete(id: string): void {
    this.#groups.get(id)?.close();
    this.#groups.delete(id);
    this.#offsets.delete(id);
  }

  close(): void {
    for (const group of this.#groups.values()) group.close();
  }
}

export function partitionKey(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}
