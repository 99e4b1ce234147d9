/** What `tabletopic demo` is asked for. */
export interface DemoOptions {
  /** Produce this many records; null: for as long as it runs. */
  readonly records: number | null;
  /** Records produced each second; null: as fast as it goes with `records`, else a calm rate. */
  readonly rate: number | null;
  /** End by itself when all records are in the tables. */
  readonly exit: boolean;
  /** The last line of standard output is one JSON object. */
  readonly json: boolean;
  /** Port of the status page; null: 8080, or any free one. */
  readonly port: number | null;
}
