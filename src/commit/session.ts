import { TabletopicError, asTabletopicError } from '../errors.ts';
import { identText } from '../iceberg/catalog.ts';
import { knownOf, loadKnown } from './known.ts';
import { changedTopic } from './vector.ts';
import type { CommitOutcome, CommitRequest, LoadedTable } from '../iceberg/catalog.ts';
import type { ManifestFile } from '../iceberg/manifest-types.ts';
import type { TopicIdentity } from './commit.ts';
import type { Known, TableAddress } from './known.ts';

/** Refusals after which the request was surely not applied; any other rejection of a commit leaves that open. */
const definite = new Set(['CATALOG_AUTH', 'CATALOG_REFUSED', 'CATALOG_UNAVAILABLE', 'TABLE_NOT_FOUND']);

/** A request and, where it adds a snapshot, its manifest list. */
export interface Sendable {
  readonly request: CommitRequest;
  readonly manifestList?: readonly ManifestFile[];
  readonly manifestListLocation?: string;
}

/**
 * What one process knows of one table: the last load, and whether it may be outdated.
 *
 * Invariant: the table's UUID never changes under a session, and every state that was loaded names the topics and the
 * cluster that the service reads from.
 *
 * Breaks: test/commit/committer.test.ts, "a table that was dropped and made again", "another topic of the same name".
 */
export class TableSession {
  readonly address: TableAddress;
  /** Entries of the head's manifest list, by location: a list never changes, and our own need not be read back. */
  readonly listCache: Map<string, readonly ManifestFile[]> = new Map();
  readonly #topics: () => Readonly<Record<string, TopicIdentity>>;
  #known: Known | null = null;
  #uuid: string | null = null;
  #stale = true;

  constructor(address: TableAddress, topics: () => Readonly<Record<string, TopicIdentity>>) {
    this.address = address;
    this.#topics = topics;
  }

  get known(): Known | null {
    return this.#known;
  }

  get name(): string {
    return identText(this.address.ident);
  }

  /** The last load, or a new one where another writer is known to have been there since. */
  async current(): Promise<Known> {
    return this.#known !== null && !this.#stale ? this.#known : await this.reload();
  }

  async load(snapshots: 'refs' | 'all' = 'refs'): Promise<Known | null> {
    const known = await loadKnown(this.address, snapshots);
    if (known === null) {
      if (this.#uuid !== null)
        throw new TabletopicError('TABLE_NOT_FOUND', `${this.name} is gone: it was dropped or renamed`, {
          where: { table: this.name },
        });
      return null;
    }
    this.#check(known.table);
    this.#checkTopics(known);
    this.#known = known;
    this.#stale = false;
    return known;
  }

  async reload(snapshots: 'refs' | 'all' = 'refs'): Promise<Known> {
    const known = await this.load(snapshots);
    if (known === null)
      throw new TabletopicError('TABLE_NOT_FOUND', `${this.name} does not exist`, { where: { table: this.name } });
    return known;
  }

  /**
   * Sends one commit. After anything but `committed` the next `current` loads again. `onUnknown` is told when the
   * request may have been applied: an outcome `unknown`, an unexpected rejection, or a signal that aborts while the
   * answer is awaited (the request itself goes on).
   */
  async send(
    { request, manifestList, manifestListLocation }: Sendable,
    signal: AbortSignal,
    onUnknown: () => void,
  ): Promise<CommitOutcome> {
    this.#stale = true;
    this.listCache.clear();
    const answer = this.address.catalog.commit(this.address.ident, request);
    let outcome: CommitOutcome;
    try {
      outcome = await settled(answer, signal);
    } catch (error) {
      if (signal.aborted || !definite.has(asTabletopicError(error).code)) onUnknown();
      throw error;
    }
    if (outcome.outcome === 'unknown') onUnknown();
    if (outcome.outcome === 'committed') {
      this.#check(outcome.table);
      if (manifestList !== undefined && manifestListLocation !== undefined)
        this.listCache.set(manifestListLocation, manifestList);
      this.#known = knownOf(outcome.table, this.address.branch) ?? (await this.reload());
      this.#stale = false;
    }
    return outcome;
  }

  #check({ metadata }: LoadedTable): void {
    this.#uuid ??= metadata['table-uuid'];
    if (metadata['table-uuid'] !== this.#uuid) {
      throw new TabletopicError(
        'TABLE_CHANGED',
        `${this.name} was replaced: its UUID was ${this.#uuid} and is ${metadata['table-uuid']}`,
        { where: { table: this.name } },
      );
    }
  }

  #checkTopics(known: Known): void {
    const changed = known.offsets === null ? null : changedTopic(known.offsets, this.#topics());
    if (changed === null) return;
    const { topic, table, kafka } = changed;
    throw new TabletopicError(
      'KAFKA_TOPIC_CHANGED',
      `${this.name} was fed from topic ${topic} with id ${table.id} of cluster ${table.cluster}; Kafka now has id ${kafka.id} of cluster ${kafka.cluster}`,
      { where: { table: this.name, topic } },
    );
  }
}

/** The answer, or the signal's reason when it aborts first; the request itself goes on. */
async function settled<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([answer, aborted]);
  } finally {
    signal.removeEventListener('abort', abort!);
  }
}
