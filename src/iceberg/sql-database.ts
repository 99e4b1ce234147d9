/** What a SQL catalog needs of a database. Parameters are `?`; each statement is a transaction of its own. */
export interface SqlDatabase {
  query(sql: string, parameters?: readonly (string | null)[]): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /**
   * Rows changed. Rejects with `DuplicateKey` or `LostAnswer`; otherwise, as `query`, with `CATALOG_UNAVAILABLE` (surely not
   * done), `CATALOG_AUTH` or `CATALOG_REFUSED`.
   */
  execute(sql: string, parameters?: readonly (string | null)[]): Promise<number>;
  close(): Promise<void>;
}

/** A row with this key, or a table with this name, is there already. */
export class DuplicateKey extends Error {}

/** The connection broke while the statement was on its way: it may have been done. */
export class LostAnswer extends Error {}
