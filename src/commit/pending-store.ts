import { asTabletopicError } from '../errors.ts';
import { MAX_CHECKPOINT_AGE } from './judge.ts';
import { metadataLocation } from './locations.ts';
import { decodePending, encodePending } from './pending.ts';
import type { Logger } from 'pino';
import type { TableMetadata } from '../iceberg/metadata.ts';
import type { FileIO } from '../io/file-io.ts';
import type { Ports } from '../ports.ts';
import type { Pending } from './pending.ts';

const FOLDER = 'tabletopic/pending/';
const SUFFIX = '.json';

/** Larger objects are not read, bytes. */
const MAX_SIZE = 16 * 1024 * 1024;

/** After a store turned out to be unfit it is asked again only after this time, ms. */
const ASK_AGAIN = 10 * 60_000;

/** An object that lies in the store. */
export interface Listed {
  readonly location: string;
  /** By the store's clock, ms; many stores give whole seconds. */
  readonly modified: number;
}

/**
 * The pending objects of one table: published, listed and removed under `metadata/tabletopic/pending/`.
 *
 * Nothing here decides what is committed, and nothing here fails a commit: where the store or its credentials forbid it,
 * the committers go on with plain compare-and-swap.
 */
export class PendingStore {
  readonly #ports: Ports;
  readonly #logger: Pick<Logger, 'debug' | 'info' | 'warn'>;
  /** What was read, by location: an object never changes. Null: not readable as a pending object. */
  readonly #read = new Map<string, Pending | null>();
  /** Whether the store does what is needed; asked at first use. */
  #fit: boolean | null = null;
  #askAgainAt = 0;
  #removing: Promise<void> = Promise.resolve();

  constructor(ports: Ports, logger: Pick<Logger, 'debug' | 'info' | 'warn'>) {
    this.#ports = ports;
    this.#logger = logger;
  }

  /** Where a checkpoint's object stands. */
  static location(metadata: TableMetadata, checkpointId: string): string {
    return folderOf(metadata) + checkpointId + SUFFIX;
  }

  /** Whether objects can be written, found in the listing, read and removed here. */
  async isFit(io: FileIO, metadata: TableMetadata): Promise<boolean> {
    const now = this.#ports.clock.monotonic();
    if (this.#fit === null || (!this.#fit && now >= this.#askAgainAt)) {
      this.#fit = await this.#probe(io, metadata);
      this.#askAgainAt = now + ASK_AGAIN;
    }
    return this.#fit;
  }

  /** Rejects with the store's error; then the object may be there or not. */
  async publish(io: FileIO, metadata: TableMetadata, pending: Pending): Promise<void> {
    const location = PendingStore.location(metadata, pending.checkpoint.id);
    await io.write(location, encodePending(pending));
  }

  /** What others have published, and the own object where it lies there; null where that cannot be listed. */
  async list(
    io: FileIO,
    metadata: TableMetadata,
    ownId: string,
  ): Promise<{ readonly own: Listed | null; readonly others: readonly Listed[] } | null> {
    const ownLocation = PendingStore.location(metadata, ownId);
    let own: Listed | null = null;
    const others: Listed[] = [];
    const leftOver: string[] = [];
    try {
      for await (const { location, size, modified } of io.list(folderOf(metadata))) {
        if (location === ownLocation) {
          own = { location, modified };
          continue;
        }
        if (location.endsWith(SUFFIX) && size <= MAX_SIZE) others.push({ location, modified });
        if (this.#ports.clock.now() - modified > 2 * MAX_CHECKPOINT_AGE) leftOver.push(location);
      }
    } catch (error) {
      this.#logger.info({ err: error }, 'pending checkpoints of others cannot be listed');
      return null;
    }
    // Probes and unreadable objects of those that died.
    if (leftOver.length > 0) this.remove(io, leftOver);
    return { own, others };
  }

  /** What was found, as far as it can be read. */
  async read(io: FileIO, listed: readonly Listed[]): Promise<readonly Pending[]> {
    const read = await Promise.all(listed.map(({ location }) => this.#get(io, location)));
    const there = new Set(listed.map(({ location }) => location));
    for (const location of this.#read.keys()) if (!there.has(location)) this.#read.delete(location);
    return read.filter((pending) => pending !== null);
  }

  /** What was read there before; null: nothing that is a pending object; undefined: never read. */
  known(location: string): Pending | null | undefined {
    return this.#read.get(location);
  }

  /** Removes objects in the background. */
  remove(io: FileIO, locations: readonly string[]): void {
    const removing = io.delete(locations).catch((error: unknown) => {
      this.#logger.debug({ err: error, locations }, 'pending objects are left to others');
    });
    this.#removing = Promise.all([this.#removing, removing]).then(() => undefined);
  }

  /** Resolves when nothing is being removed any more. */
  settled(): Promise<void> {
    return this.#removing;
  }

  async #get(io: FileIO, location: string): Promise<Pending | null> {
    const known = this.#read.get(location);
    if (known !== undefined) return known;
    try {
      const pending = decodePending(await io.read(location));
      if (!location.endsWith(`/${pending.checkpoint.id}${SUFFIX}`))
        throw new SyntaxError('it is named after another id');
      this.#read.set(location, pending);
      return pending;
    } catch (error) {
      if (error instanceof SyntaxError) {
        this.#logger.warn({ location, err: error }, 'not a pending checkpoint that this version can read: passed over');
        this.#read.set(location, null);
      } else if (asTabletopicError(error).code !== 'STORAGE_NOT_FOUND') {
        this.#logger.info({ location, err: error }, 'a pending checkpoint cannot be read: passed over');
      }
      return null;
    }
  }

  async #probe(io: FileIO, metadata: TableMetadata): Promise<boolean> {
    const location = `${folderOf(metadata)}${this.#ports.ids.uuid()}.probe`;
    const bytes = Buffer.from(location);
    let missing: string | null = null;
    try {
      await io.write(location, bytes);
      if (!(await isListed(io, location))) missing = 'an object that was just written is not in the listing';
      else if (!bytes.equals(await io.read(location))) missing = 'an object reads back differently';
      await io.delete([location]);
    } catch (error) {
      missing = asTabletopicError(error).message;
    }
    if (missing === null) return true;
    this.#logger.warn(
      { location, reason: missing },
      'no combining of commits on this store: instances of one table that commit often will disturb each other',
    );
    return false;
  }
}

function folderOf(metadata: TableMetadata): string {
  return metadataLocation(metadata, FOLDER);
}

async function isListed(io: FileIO, location: string): Promise<boolean> {
  for await (const found of io.list(location)) if (found.location === location) return true;
  return false;
}
