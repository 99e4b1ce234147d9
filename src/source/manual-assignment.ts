import { type Membership, type MembershipHandlers, without } from './membership.ts';
import type { TopicPartition } from './source.ts';

/**
 * No group: this process reads all partitions of its topics, whoever else does. For work beside the service, which must
 * neither take partitions from it nor write its offsets.
 */
export class ManualAssignment implements Membership {
  readonly #partitions: () => readonly TopicPartition[];
  readonly #handlers: Pick<MembershipHandlers, 'onAssign'>;
  #owned: readonly TopicPartition[] = [];

  constructor(partitions: () => readonly TopicPartition[], handlers: Pick<MembershipHandlers, 'onAssign'>) {
    this.#partitions = partitions;
    this.#handlers = handlers;
  }

  start(): void {
    this.topicsChanged();
  }

  topicsChanged(): void {
    const added = without(this.#partitions(), this.#owned);
    this.#owned = [...this.#owned, ...added];
    if (added.length > 0) void this.#handlers.onAssign(added);
  }

  /** There is no group that offsets could be mirrored to. */
  commit(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
