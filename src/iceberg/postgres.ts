import pg from 'pg';
import { TabletopicError } from '../errors.ts';
import { DuplicateKey, LostAnswer } from './sql-database.ts';
import type { SqlDatabase } from './sql-database.ts';

const TIMEOUT_MS = 30_000;
/**
 * unique_violation, duplicate_object, duplicate_table: CREATE TABLE IF NOT EXISTS answers each of them where another
 * session creates the table at the same time.
 */
const THERE_ALREADY: ReadonlySet<string> = new Set(['23505', '42710', '42P07']);

/** `postgres://user:password@host:port/database`. */
export function openPostgres(uri: string): SqlDatabase {
  const pool = new pg.Pool({
    connectionString: uri,
    max: 4,
    connectionTimeoutMillis: 10_000,
    query_timeout: TIMEOUT_MS,
    statement_timeout: TIMEOUT_MS,
    idleTimeoutMillis: 60_000,
  });
  const place = new URL(uri).host;
  // An idle connection that breaks is replaced at the next statement.
  pool.on('error', () => undefined);
  const send = async (
    sql: string,
    parameters: readonly (string | null)[],
  ): Promise<pg.QueryResult<Record<string, unknown>>> => {
    let client: pg.PoolClient;
    try {
      client = await pool.connect();
    } catch (error) {
      throw refused(error, place);
    }
    let broken = false;
    try {
      let n = 0;
      return await client.query<Record<string, unknown>>(
        sql.replaceAll('?', () => `$${++n}`),
        [...parameters],
      );
    } catch (error) {
      broken = sqlState(error) === '';
      throw afterSend(error, place);
    } finally {
      client.release(broken);
    }
  };
  return {
    query: async (sql, parameters = []) => {
      try {
        return (await send(sql, parameters)).rows;
      } catch (error) {
        if (error instanceof LostAnswer)
          throw new TabletopicError('CATALOG_UNAVAILABLE', error.message, { cause: error });
        throw error;
      }
    },
    execute: async (sql, parameters = []) => (await send(sql, parameters)).rowCount ?? 0,
    close: () => pool.end(),
  };
}

function sqlState(error: unknown): string {
  const { code = '' } = error as { code?: string };
  return /^[0-9A-Z]{5}$/.test(code) ? code : '';
}

/** Before anything was sent. */
function refused(error: unknown, place: string): TabletopicError {
  const state = sqlState(error);
  const message = `PostgreSQL at ${place}: ${(error as Error).message || String((error as { code?: string }).code)}`;
  if (state.startsWith('28') || state === '3D000')
    return new TabletopicError('CATALOG_AUTH', message, { cause: error });
  return new TabletopicError('CATALOG_UNAVAILABLE', message, { cause: error });
}

function afterSend(error: unknown, place: string): Error {
  const state = sqlState(error);
  const message = `PostgreSQL at ${place}: ${(error as Error).message}`;
  if (THERE_ALREADY.has(state)) return new DuplicateKey(message, { cause: error });
  // The server was ended, or the connection broke, while the statement ran: it may have been done.
  if (state === '' || state.startsWith('57P') || state.startsWith('08'))
    return new LostAnswer(message, { cause: error });
  if (state === '42501')
    return new TabletopicError('CATALOG_AUTH', message, {
      cause: error,
      hint: 'Give the user SELECT, INSERT, UPDATE and DELETE on the catalog’s tables.',
    });
  // Rolled back by the server: deadlock, serialization, statement timeout, out of resources.
  if (/^(?:40|53|57)/.test(state)) return new TabletopicError('CATALOG_UNAVAILABLE', message, { cause: error });
  return new TabletopicError('CATALOG_REFUSED', message, { cause: error });
}
