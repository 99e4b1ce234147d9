/**
 * One coded error class and one table from code to policy and hint. The table feeds the code, the log lines, the exit
 * codes and the runbook.
 */

/**
 * What the service does about an error:
 * - `retry`: tried again with backoff; the service is unready meanwhile; nothing is lost.
 * - `dead-letter`: the record goes whole to the dead-letter table; the topic goes on.
 * - `stop-table`: this table stops until a person acts; the others go on.
 * - `stop-service`: the process ends.
 */
export type ErrorPolicy = 'retry' | 'dead-letter' | 'stop-table' | 'stop-service';

/** Process exit codes (DESIGN §5). */
export const ExitCode = { done: 0, failed: 1, usage: 2, dataProblem: 3 } as const;

interface ErrorEntry {
  readonly policy: ErrorPolicy;
  /** Exit code when the error ends the process. */
  readonly exit: number;
  /** What to do, for a person who runs the service. */
  readonly hint: string;
}

export const errorTable = {
  BRANCH_DIVERGED: {
    policy: 'stop-table',
    exit: 3,
    hint: 'main has moved since the branch left it: write the table on a fresh branch (another name in `branch`), which begins at main with main’s offsets, and publish that.',
  },
  CATALOG_AUTH: {
    policy: 'stop-service',
    exit: 2,
    hint: 'Check the catalog credentials: `catalogs.<name>.token`, `credential` or the user in `uri`.',
  },
  CATALOG_REFUSED: {
    policy: 'stop-table',
    exit: 3,
    hint: 'The catalog refused the request for good; its message says why.',
  },
  CATALOG_UNAVAILABLE: {
    policy: 'retry',
    exit: 1,
    hint: 'The catalog does not answer: check that it runs and that `catalogs.<name>.uri` is right.',
  },
  COMMIT_CONFLICT: {
    policy: 'retry',
    exit: 1,
    hint: 'Another writer keeps winning: look at other writers of this table and raise `commitInterval`.',
  },
  COMMIT_UNKNOWN: {
    policy: 'retry',
    exit: 1,
    hint: 'The answer to a commit was lost; the service reloads the table and looks for its own commit.',
  },
  CONFIG_INVALID: { policy: 'stop-service', exit: 2, hint: 'Correct the named key in the configuration file.' },
  DEAD_LETTERS_UNREADABLE: {
    policy: 'retry',
    exit: 1,
    hint: 'Only the dead-letter table waits, the topic goes on: bring the named file back, or the records from Kafka while it holds them.',
  },
  DEAD_LETTER_RATE: {
    policy: 'stop-table',
    exit: 3,
    hint: 'Only this topic is paused for this table, and nothing is lost: mend the producer, the schema or the rule, then restart the service (it reads on where it stands); `maxDeadLetterRate` says how many dead letters are taken; `tabletopic replay` tries those that were taken again.',
  },
  DECODE_AVRO: {
    policy: 'dead-letter',
    exit: 3,
    hint: 'The bytes do not follow the writer schema: look at the producer.',
  },
  DECODE_JSON: {
    policy: 'dead-letter',
    exit: 3,
    hint: 'The value is not valid JSON of the expected form: look at the producer.',
  },
  DECODE_PROTOBUF: {
    policy: 'dead-letter',
    exit: 3,
    hint: 'The bytes are not the message that the writer schema says: look at the producer.',
  },
  DECODE_TEXT: {
    policy: 'dead-letter',
    exit: 3,
    hint: 'The value is not UTF-8 text: look at the producer, or read the topic with `value: { format: bytes }`.',
  },
  DECODE_WIRE_FORMAT: {
    policy: 'dead-letter',
    exit: 3,
    hint: 'The record carries no schema id (magic byte 0 and 4 bytes, or a header): was it written without the registry serializer?',
  },
  INTERNAL: { policy: 'stop-service', exit: 1, hint: 'This is a defect of tabletopic: report it with the log.' },
  KAFKA_AUTH: {
    policy: 'stop-service',
    exit: 2,
    hint: 'Check `kafka.sasl` and `kafka.tls`, and the ACLs of this user (topic READ, group READ).',
  },
  KAFKA_CORRUPT_BATCH: {
    policy: 'stop-table',
    exit: 3,
    hint: 'A record batch fails its checksum: check the broker’s disk and the network.',
  },
  KAFKA_FENCED: {
    policy: 'stop-service',
    exit: 2,
    hint: 'Two processes run with the same `kafka.instanceId`: give each its own.',
  },
  KAFKA_LOG_TRUNCATED: {
    policy: 'stop-table',
    exit: 3,
    hint: 'The log no longer holds what the table holds (unclean leader election, or the topic was re-created): `tabletopic adopt` or `tabletopic rollback`.',
  },
  KAFKA_OFFSETS_DELETED: {
    policy: 'stop-table',
    exit: 3,
    hint: 'Retention deleted records that were not read yet: set `onMissingOffsets: skip` to go on and record the gap.',
  },
  KAFKA_RECORD_TOO_LARGE: {
    policy: 'retry',
    exit: 1,
    hint: 'Only the dead-letter topic waits, the table goes on: raise `max.message.bytes` of the dead-letter topic, or do without one: the dead-letter table holds the record.',
  },
  KAFKA_TOPIC_CHANGED: {
    policy: 'stop-table',
    exit: 3,
    hint: 'The topic or cluster is not the one the table was fed from: `tabletopic adopt` accepts it explicitly.',
  },
  KAFKA_TOPIC_MISSING: { policy: 'stop-table', exit: 3, hint: 'Create the topic, or correct its name in `tables`.' },
  KAFKA_UNAVAILABLE: {
    policy: 'retry',
    exit: 1,
    hint: 'No broker answers: check that Kafka runs and that `kafka.brokers` is right.',
  },
  OFFSETS_AMBIGUOUS: {
    policy: 'stop-table',
    exit: 3,
    hint: 'The table’s history is broken where its offsets were: `tabletopic adopt` with offsets.',
  },
  REGISTRY_AUTH: {
    policy: 'stop-service',
    exit: 2,
    hint: 'Check `schemaRegistry.username` and `password`, `token`, or `tls.cert` and `tls.key`.',
  },
  REGISTRY_REFUSED: {
    policy: 'stop-table',
    exit: 3,
    hint: 'The schema registry refused the request for good; its message says why.',
  },
  REGISTRY_SCHEMA_MISSING: {
    policy: 'dead-letter',
    exit: 3,
    hint: 'The registry does not know this schema id: was the record written against another registry?',
  },
  REGISTRY_UNAVAILABLE: {
    policy: 'retry',
    exit: 1,
    hint: 'The schema registry does not answer: check that it runs and that `schemaRegistry.url` is right.',
  },
  SCHEMA_CHANGE_WAITS: {
    policy: 'retry',
    exit: 3,
    hint: 'The table’s owner wants to approve such changes (`schemaChanges`): `tabletopic approve -c FILE --table TABLE`.',
  },
  ROUTE_ELSEWHERE: {
    policy: 'dead-letter',
    exit: 3,
    hint: 'The record was replayed where another table’s route takes it: produce it again, or put that table back (`tabletopic rollback`) so that it reads the record.',
  },
  ROUTE_NONE: {
    policy: 'dead-letter',
    exit: 3,
    hint: 'No `route` of the topic takes the record: add a rule, or one with `route: otherwise`. After that `tabletopic replay` on this table tries it again.',
  },
  SCHEMA_INCOMPATIBLE: {
    policy: 'dead-letter',
    exit: 3,
    hint: 'The change cannot be expressed in Iceberg: see `onIncompatible`.',
  },
  SCHEMA_UNSUPPORTED: {
    policy: 'stop-table',
    exit: 3,
    hint: 'The schema has a construct that has no mapping; the message names it.',
  },
  STORAGE_AUTH: {
    policy: 'stop-service',
    exit: 2,
    hint: 'Check the object store credentials (AWS chain) and the bucket policy.',
  },
  STORAGE_EXISTS: {
    policy: 'retry',
    exit: 1,
    hint: 'An object of this name is there already; another writer was first, or a lost answer was asked again.',
  },
  STORAGE_NOT_FOUND: { policy: 'stop-table', exit: 3, hint: 'An object that the table names is missing in the store.' },
  STORAGE_UNAVAILABLE: {
    policy: 'retry',
    exit: 1,
    hint: 'The object store does not answer: check `storage.s3.endpoint` and the bucket.',
  },
  TABLE_CHANGED: {
    policy: 'stop-table',
    exit: 3,
    hint: 'The table was replaced or changed by others in a way that the service may not undo; the message names both sides.',
  },
  TABLE_NOT_FOUND: { policy: 'stop-table', exit: 3, hint: 'The table does not exist in the catalog.' },
  TABLE_EXISTS: { policy: 'retry', exit: 1, hint: 'Another writer created the table first; it is loaded instead.' },
  TABLE_UNSUPPORTED: {
    policy: 'stop-table',
    exit: 3,
    hint: 'Upgrade the table to a format version that the service can commit to (2), or name another table.',
  },
  USAGE: { policy: 'stop-service', exit: 2, hint: 'See `tabletopic --help`.' },
  VALUE_OUT_OF_RANGE: {
    policy: 'dead-letter',
    exit: 3,
    hint: 'The value cannot be represented in the column’s type without changing it.',
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof errorTable;

export interface ErrorDetails {
  /** Replaces the table's hint where the place of the throw knows better. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Where: topic, partition, offset, table, key path, URL … */
  readonly where?: Readonly<Record<string, string | number | bigint>>;
}

export class TabletopicError extends Error {
  readonly code: ErrorCode;
  readonly policy: ErrorPolicy;
  readonly exit: number;
  readonly hint: string;
  readonly where: Readonly<Record<string, string | number | bigint>>;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'TabletopicError';
    this.code = code;
    this.policy = errorTable[code].policy;
    this.exit = errorTable[code].exit;
    this.hint = details.hint ?? errorTable[code].hint;
    this.where = details.where ?? {};
  }
}

/** The error as a coded one; anything unknown becomes `INTERNAL` with the original as its cause. */
export function asTabletopicError(error: unknown): TabletopicError {
  if (error instanceof TabletopicError) return error;
  return new TabletopicError('INTERNAL', error instanceof Error ? error.message : String(error), { cause: error });
}
