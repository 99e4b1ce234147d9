import { MANIFEST_SUFFIX } from '../iceberg/manifest-types.ts';
import { mergeManifests } from '../iceberg/merge-manifests.ts';
import { metadataLocation } from './locations.ts';
import { MAX_CHECKPOINT_AGE } from './judge.ts';
import type { Logger } from 'pino';
import type { ManifestFile } from '../iceberg/manifest-types.ts';
import type { Merge } from '../iceberg/merge-manifests.ts';
import type { TableMetadata } from '../iceberg/metadata.ts';
import type { FileIO } from '../io/file-io.ts';
import type { Ports } from '../ports.ts';

/** Few, so that the store has time for the commits that go on meanwhile. */
const READS_AT_ONCE = 4;

interface Ready {
  readonly merge: Merge;
  /** Where to remove it, should nobody use it. */
  readonly io: FileIO;
  /** Monotonic, ms. */
  readonly at: number;
}

/**
 * Manifests that are merged beside the commits: while an attempt reads and rewrites a hundred of them, the other
 * committers of the table move its head, and all of that work is lost.
 *
 * Invariant 3, for merged manifests: one that may have been in a snapshot is never committed again. A merge is handed
 * out to one checkpoint, and comes back only where none of its attempts can ever be in the table.
 *
 * Breaks: test/commit/turns.sim.test.ts, "merged, committed, rolled back and expired",
 * "by an attempt whose answer was lost".
 */
export class ManifestMerges {
  readonly #ports: Ports;
  readonly #logger: Pick<Logger, 'info'>;
  readonly #closing = new AbortController();
  #ready: Ready[] = [];
  #running: Promise<void> | null = null;

  constructor(ports: Ports, logger: Pick<Logger, 'info'>) {
    this.#ports = ports;
    this.#logger = logger;
  }

  /** For one checkpoint; those that are as old as a file must be to count as an orphan are forgotten. */
  take(): Merge[] {
    const now = this.#ports.clock.monotonic();
    const young = this.#ready.filter(({ at }) => now - at < MAX_CHECKPOINT_AGE);
    this.#ready = [];
    return young.map(({ merge }) => merge);
  }

  /** Merges that were in no snapshot and never will be. */
  giveBack(merges: readonly Merge[], io: FileIO): void {
    const at = this.#ports.clock.monotonic();
    for (const merge of merges) this.#ready.push({ merge, io, at });
  }

  /** Merges in the background, one task at a time. A failure only leaves the manifests as they are. */
  start(groups: readonly (readonly ManifestFile[])[], metadata: TableMetadata, io: FileIO): void {
    const { signal } = this.#closing;
    if (groups.length === 0 || this.#running !== null || signal.aborted) return;
    this.#running = this.#merge(groups, metadata, io)
      .catch((error: unknown) => {
        if (!signal.aborted) this.#logger.info({ err: error }, 'manifests are not merged this time');
      })
      .finally(() => (this.#running = null));
  }

  /** Ends what runs, and removes what nobody used. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
    const unused = this.#ready;
    this.#ready = [];
    for (const { merge, io } of unused) {
      await io.delete([merge.manifest.location]).catch((error: unknown) => {
        this.#logger.info({ err: error }, 'a merged manifest is left to orphan removal');
      });
    }
  }

  async #merge(groups: readonly (readonly ManifestFile[])[], metadata: TableMetadata, io: FileIO): Promise<void> {
    for (const group of groups) {
      const location = metadataLocation(metadata, `${this.#ports.ids.uuid()}${MANIFEST_SUFFIX}`);
      const manifest = await mergeManifests(io, location, group, metadata, {
        readsAtOnce: READS_AT_ONCE,
        signal: this.#closing.signal,
      });
      this.#ready.push({ merge: { group, manifest }, io, at: this.#ports.clock.monotonic() });
    }
  }
}
