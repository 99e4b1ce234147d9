import { DatabaseSync } from 'node:sqlite';
import { TabletopicError } from '../errors.ts';
import type { Clock } from '../ports.ts';
import { DuplicateKey } from './sql-database.ts';
import type { SqlDatabase } from './sql-database.ts';

/** SQLite blocks the thread while it waits for a lock, so it waits only a little; the rest of the patience is ours. */
const BUSY_TIMEOUT_MS = 100;
const PATIENCE_MS = 15_000;
const BUSY = 5;
const CONSTRAINT = 19;

/**
 * `sqlite:PATH`, or as SQLAlchemy writes it `sqlite:///relative`, `sqlite:////absolute`. The file is made when it is not
 * there; several processes may use it.
 */
export function openSqlite(uri: string, clock: Clock): SqlDatabase {
  const path = uri.replace(/^sqlite:(?:\/\/\/)?/, '');
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
  } catch (error) {
    throw coded(error, path);
  }
  const patiently = async <T>(act: () => T): Promise<T> => {
    const deadline = clock.monotonic() + PATIENCE_MS;
    for (;;) {
      try {
        return act();
      } catch (error) {
        // A statement that found the database locked did nothing.
        if (resultCode(error) !== BUSY || clock.monotonic() > deadline) throw coded(error, path);
        await clock.sleep(20);
      }
    }
  };
  return {
    query: (sql, parameters = []) => patiently(() => database.prepare(sql).all(...parameters)),
    execute: (sql, parameters = []) => patiently(() => Number(database.prepare(sql).run(...parameters).changes)),
    close: () => {
      database.close();
      return Promise.resolve();
    },
  };
}

function resultCode(error: unknown): number {
  return ((error as { errcode?: number }).errcode ?? 0) & 0xff;
}

function coded(error: unknown, path: string): Error {
  const { message } = error as Error;
  const details = { cause: error, where: { path } };
  switch (resultCode(error)) {
    case CONSTRAINT:
      return new DuplicateKey(message, { cause: error });
    case BUSY:
      return new TabletopicError('CATALOG_UNAVAILABLE', `${path} stays locked by another process`, details);
    // Cannot open, read-only, full, disk error, no permission.
    case 14:
    case 8:
    case 3:
      return new TabletopicError('CATALOG_AUTH', `${path}: ${message}`, {
        ...details,
        hint: 'Does the folder of the database exist, and may this process write there?',
      });
    case 13:
    case 10:
      return new TabletopicError('CATALOG_UNAVAILABLE', `${path}: ${message}`, {
        ...details,
        hint: 'Check the disk of the database.',
      });
    default:
      return new TabletopicError('CATALOG_REFUSED', `${path}: ${message}`, details);
  }
}
