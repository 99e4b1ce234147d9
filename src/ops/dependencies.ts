import type { ErrorCode, TabletopicError } from '../errors.ts';
import type { Clock } from '../ports.ts';
import type { DependencyStatus } from './status.ts';

/** Which servers answer, as the last requests saw it. */
export class Dependencies {
  readonly #clock: Clock;
  readonly #byName = new Map<string, DependencyStatus>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  all(): DependencyStatus[] {
    return [...this.#byName.values()];
  }

  up(name: string): void {
    this.set(name, null);
  }

  set(name: string, error: TabletopicError | null): void {
    const known = this.#byName.get(name);
    const now = this.#clock.now();
    const since = known && known.up === (error === null) ? known.since : now;
    this.#byName.set(name, {
      name,
      up: error === null,
      since,
      error: error && { code: error.code, message: error.message, hint: error.hint, at: now },
    });
  }

  /** Files an error of a table under the server that it speaks of; null: what the table needs answers again. */
  problem(error: TabletopicError | null, catalog: string): void {
    if (error === null) {
      this.up(`catalog ${catalog}`);
      this.up('storage');
      return;
    }
    const name = dependencyOf(error.code);
    if (name) this.set(name === 'catalog' ? `catalog ${catalog}` : name, error);
  }
}

/** The server that an error speaks of; null: none. */
export function dependencyOf(code: ErrorCode): 'kafka' | 'registry' | 'catalog' | 'storage' | null {
  if (code.startsWith('CATALOG_') || code.startsWith('COMMIT_')) return 'catalog';
  if (code.startsWith('STORAGE_')) return 'storage';
  if (code.startsWith('REGISTRY_')) return 'registry';
  return code.startsWith('KAFKA_') ? 'kafka' : null;
}
