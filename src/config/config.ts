import type { PrimitiveType } from '../schema/types.ts';
import type { Route, TopicRoutes } from './route.ts';

/** The resolved configuration: what the options table (options.ts) produces. Durations in ms, sizes in bytes. */
export interface Config {
  readonly kafka: KafkaConfig;
  readonly schemaRegistry: RegistryConfig | null;
  readonly catalogs: Readonly<Record<string, CatalogConfig>>;
  readonly storage: StorageConfig;
  readonly defaults: TableDefaults;
  readonly tables: readonly TableRule[];
  readonly http: { readonly host: string; readonly port: number } | null;
  /** Worker threads; 0 runs the pipeline on the main thread. */
  readonly workers: number;
  /** Bytes of records, columns and encoded files held at once (invariant 8). */
  readonly memory: number;
  /** How long a drain may take (SIGTERM), ms. */
  readonly drainTimeout: number;
  readonly log: { readonly level: string; readonly format: 'json' | 'pretty' };
}

export interface KafkaConfig {
  readonly brokers: readonly string[];
  readonly groupId: string;
  readonly clientId: string;
  /** Static membership (KIP-345): a name, or null for a dynamic member. In the file also `auto`, which `run` resolves to a name. */
  readonly instanceId: string | null;
  /** `classic` (cooperative-sticky) or `consumer` (KIP-848). */
  readonly groupProtocol: 'classic' | 'consumer';
  readonly isolation: 'read_committed' | 'read_uncommitted';
  readonly sessionTimeout: number;
  readonly rebalanceTimeout: number;
  /** Bound on the commit before a revocation is acknowledged. */
  readonly revokeTimeout: number;
  /** How often metadata is refreshed: new topics of a pattern, new partitions. */
  readonly metadataRefresh: number;
  readonly fetchMaxBytes: number;
  readonly fetchPartitionBytes: number;
  readonly fetchMaxWait: number;
  readonly requestTimeout: number;
  readonly tls: TlsConfig | null;
  readonly sasl:
    | {
        readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
        readonly username: string;
        readonly password: string;
      }
    | {
        readonly mechanism: 'oauthbearer';
        readonly tokenEndpoint: string;
        readonly clientId: string;
        readonly clientSecret: string;
        readonly scope?: string;
      }
    | null;
}

export interface TlsConfig {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
  readonly rejectUnauthorized: boolean;
}

export interface RegistryConfig {
  /** Addresses of one registry, tried in turn. */
  readonly url: readonly string[];
  readonly username?: string;
  readonly password?: string;
  readonly token?: string;
  /** PEM texts; null: as the URL says, with the system's authorities. */
  readonly tls: TlsConfig | null;
  readonly requestTimeout: number;
}

export type CatalogConfig =
  | {
      readonly type: 'rest';
      readonly uri: string;
      readonly warehouse?: string;
      readonly prefix?: string;
      readonly token?: string;
      /** OAuth2 client credentials, `id:secret`. */
      readonly credential?: string;
      readonly oauth2ServerUri?: string;
      readonly scope?: string;
      readonly sigv4?: { readonly region: string; readonly service: string };
      readonly requestTimeout: number;
    }
  | { readonly type: 'sql'; readonly uri: string; readonly warehouse: string; readonly catalogName: string };

export interface StorageConfig {
  readonly s3: {
    readonly endpoint?: string;
    readonly region?: string;
    readonly pathStyle: boolean;
    readonly accessKeyId?: string;
    readonly secretAccessKey?: string;
    readonly sessionToken?: string;
  };
}

export type StartFrom =
  | 'earliest'
  | 'latest'
  | { readonly timestamp: number }
  | { readonly offsets: Readonly<Record<string, number>> };

/** Options of a table; `defaults` gives them for all, a table rule overrides. */
export interface TableOptions {
  readonly catalog: string;
  readonly namespace: string;
  readonly branch: string;
  readonly commitInterval: number;
  readonly targetFileSize: number;
  readonly rowGroupSize: number;
  readonly compression: 'zstd' | 'snappy' | 'gzip' | 'none';
  readonly compressionLevel: number;
  readonly startFrom: StartFrom;
  readonly value: FormatOptions;
  /** Null: keys are not decoded; their bytes are in `_kafka` in any case. */
  readonly key: FormatOptions | null;
  /** `day(paid_at)`, `bucket(16, customer_id)`, `region`. */
  readonly partitionBy: readonly string[];
  readonly metadataColumns: 'struct' | 'flat' | 'off';
  readonly onIncompatible: 'dead-letter' | 'stop' | 'new-column';
  /** What to do with a record that cannot be represented. */
  readonly onBadRecord: 'dead-letter' | 'stop';
  readonly onMissingOffsets: 'stop' | 'skip';
  readonly onDropped: 'stop' | 'recreate' | 'ignore';
  /** Share of dead letters, between 0 and 1, above which a topic is paused for the table; null: no limit. */
  readonly maxDeadLetterRate: number | null;
  /** Topic that dead letters are produced to as well. */
  readonly deadLetterTopic: string | null;
  /** Which changes of the table's schema are made without approval. */
  readonly schemaChanges: 'auto' | 'additive' | 'manual';
  readonly formatVersion: 2 | 3;
  readonly properties: Readonly<Record<string, string>>;
  readonly location: string | null;
  readonly required: boolean;
  readonly timeOfDay: 'time' | 'long' | 'string';
  readonly nanos: 'micros' | 'long' | 'error' | 'native';
  /** Protobuf uint64 and fixed64: decimal(20, 0), or long and what does not fit a dead letter. */
  readonly uint64: 'decimal' | 'long';
  readonly unions: 'optional' | 'struct';
  readonly numbers: 'auto' | 'double' | `decimal(${number}, ${number})`;
  /** JSON without schema: declared types of columns, by dotted path of names in the source. */
  readonly columns: Readonly<Record<string, PrimitiveType>>;
  /** JSON: what is kept as JSON text, or as map<string, T>, by dotted path of names in the source. */
  readonly jsonColumns: Readonly<Record<string, 'json' | 'map'>>;
  /** JSON without schema: most columns, leaves at all levels counted; the rest goes to `_extra`. */
  readonly maxColumns: number;
  readonly inferRecords: number;
  readonly inferTime: number;
  readonly naming: NamingOptions;
}

export interface FormatOptions {
  /** `auto`: what the registry says of the schema that the record names; JSON where it names none. */
  readonly format:
    | 'auto'
    | 'avro'
    | 'json'
    | 'json-schema'
    | 'protobuf'
    | 'string'
    | 'bytes'
    | 'debezium'
    | 'cloudevents';
  /**
   * Where the writer schema comes from: the id that each record carries (`id`), the newest version of the subject, or
   * files. Without ids the bytes of a record are all payload.
   */
  readonly schema: 'id' | 'latest' | SchemaFile;
  /** Null: by `subjectNameStrategy`. */
  readonly subject: string | null;
  readonly subjectNameStrategy: 'topic' | 'record' | 'topic-record';
  /** Full name of the record or message. */
  readonly message: string | null;
  /** How often a newer version is looked for (`schema: latest`), ms. */
  readonly refresh: number;
}

/** A schema given in a file, and what it references: read at start. */
export interface SchemaFile {
  readonly file: readonly string[];
  /** Of the first file. */
  readonly text: string;
  /** Texts of the other files, by their path from the first. */
  readonly references: Readonly<Record<string, string>>;
}

export type TableDefaults = TableOptions;

export interface TableRule extends TableOptions {
  /** Key path in the file (`tables[2]`), for messages. */
  readonly path: string;
  readonly topic: string | null;
  readonly topicPattern: RegExp | null;
  /** Template with `$1` … for patterns; null: named after the topic. */
  readonly table: string | null;
  /** Which records of `topic` the table takes; null: all. */
  readonly route: Route | null;
}

export interface NamingOptions {
  readonly case: 'keep' | 'lower';
  readonly replace: Readonly<Record<string, string>>;
}

/** One table fed by one or several topics, after rules were applied to the topics that exist. */
export interface TablePlan {
  readonly rule: TableRule;
  readonly namespace: readonly string[];
  readonly name: string;
  readonly topics: readonly string[];
  /** By topic: routes of topics of which the table takes only some records. */
  readonly routes?: Readonly<Record<string, TopicRoutes>>;
}
