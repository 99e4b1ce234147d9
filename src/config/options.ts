import type { Option, OptionType } from './option.ts';
import { duration, oneOf, size, text, url } from './option-types.ts';
import { ruleOptions, tableOptions } from './table-options.ts';

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

const kafkaType: OptionType = {
  kind: 'object',
  options: [
    {
      key: 'brokers',
      type: { kind: 'strings', min: 1, pattern: /^(\[[0-9a-fA-F:]+\]|[^\s:,/]+):\d{1,5}$/, form: 'host:port' },
      required: true,
      example: ['localhost:9092'],
      help: 'Addresses from which the cluster is found.',
    },
    {
      key: 'groupId',
      type: text,
      default: 'tabletopic',
      help: 'Consumer group: instances with the same id share the partitions.',
    },
    { key: 'clientId', type: text, default: 'tabletopic', help: 'Name in the broker’s logs and quotas.' },
    {
      key: 'instanceId',
      type: text,
      default: 'auto',
      help: 'Static membership (KIP-345): a restart within `sessionTimeout` moves no partitions. `auto`: group, host name and a number that no other process of the host has (with `groupProtocol: consumer` a dynamic member); `none`: a dynamic member; else a name that differs between instances.',
    },
    {
      key: 'groupProtocol',
      type: oneOf('classic', 'consumer'),
      default: 'classic',
      help: '`classic`: cooperative rebalancing, any broker; `consumer`: KIP-848, Kafka 4 and later.',
    },
    {
      key: 'isolation',
      type: oneOf('read_committed', 'read_uncommitted'),
      default: 'read_committed',
      help: 'Whether records of aborted transactions are left out.',
    },
    {
      key: 'sessionTimeout',
      type: duration(6 * second, hour),
      default: '45s',
      help: 'Silence after which the group gives an instance’s partitions to others.',
    },
    {
      key: 'rebalanceTimeout',
      type: duration(10 * second, hour),
      default: '60s',
      help: 'Longest time that a rebalance waits for an instance.',
    },
    {
      key: 'revokeTimeout',
      type: duration(second, 10 * minute),
      default: '10s',
      help: 'Bound on the commit before partitions are given away; below `rebalanceTimeout`.',
    },
    {
      key: 'metadataRefresh',
      type: duration(second, hour),
      default: '30s',
      help: 'How often new topics of a pattern and new partitions are looked for.',
    },
    {
      key: 'fetchMaxBytes',
      type: size(MiB, GiB),
      default: '32MiB',
      help: 'Most bytes of one fetch response; at most a quarter of `memory`.',
    },
    {
      key: 'fetchPartitionBytes',
      type: size(1024, GiB),
      default: '4MiB',
      help: 'Most bytes of one partition in a fetch response; at most `fetchMaxBytes`.',
    },
    {
      key: 'fetchMaxWait',
      type: duration(1, minute),
      default: '500ms',
      help: 'Longest time that a broker holds a fetch back for new records.',
    },
    {
      key: 'requestTimeout',
      type: duration(second, 10 * minute),
      default: '30s',
      help: 'Time after which a request to a broker counts as failed.',
    },
    tls('TLS to the brokers; `true`: with the system’s certificate authorities.', 'kafka.example.com'),
    {
      key: 'sasl',
      nullable: true,
      help: 'Authentication to the brokers.',
      type: {
        kind: 'variants',
        by: 'mechanism',
        help: {
          plain: 'user and password',
          'scram-sha-256': 'user and password',
          'scram-sha-512': 'user and password',
          oauthbearer: 'OAuth2 client credentials',
        },
        variants: { plain: password(), 'scram-sha-256': password(), 'scram-sha-512': password(), oauthbearer: oauth() },
      },
    },
  ],
};

function tls(help: string, serverName: string): Option {
  return {
    key: 'tls',
    nullable: true,
    defaultText: 'off',
    help,
    type: {
      kind: 'object',
      switch: true,
      options: [
        {
          key: 'ca',
          type: text,
          example: './ca.pem',
          help: 'Certificate authorities: a PEM file (relative to this file) or the PEM text.',
        },
        { key: 'cert', type: text, example: './client.pem', help: 'Client certificate, as `ca`.' },
        { key: 'key', type: text, example: './client.key', help: 'Key of the client certificate, as `ca`.' },
        {
          key: 'serverName',
          type: text,
          example: serverName,
          help: 'Name expected in the certificates; left out: the host of each address.',
        },
        {
          key: 'rejectUnauthorized',
          type: { kind: 'boolean' },
          default: true,
          help: 'Whether a certificate that does not verify ends the connection.',
        },
      ],
    },
  };
}

function password(): readonly Option[] {
  return [
    { key: 'username', type: text, required: true, example: '${KAFKA_USERNAME}', help: 'User.' },
    { key: 'password', type: text, required: true, example: '${KAFKA_PASSWORD}', help: 'Password.' },
  ];
}

function oauth(): readonly Option[] {
  return [
    {
      key: 'tokenEndpoint',
      type: url,
      required: true,
      example: 'https://id.example.com/oauth2/token',
      help: 'Where tokens are asked for.',
    },
    { key: 'clientId', type: text, required: true, example: '${KAFKA_CLIENT_ID}', help: 'Client id.' },
    { key: 'clientSecret', type: text, required: true, example: '${KAFKA_CLIENT_SECRET}', help: 'Client secret.' },
    { key: 'scope', type: text, example: 'kafka', help: 'Scope asked for.' },
  ];
}

const registryType: OptionType = {
  kind: 'object',
  options: [
    {
      key: 'url',
      type: { kind: 'strings', min: 1, pattern: /^https?:\/\/.+/, form: 'URLs that begin with http:// or https://' },
      required: true,
      example: ['http://localhost:8081'],
      help: 'Address, or several of one registry, tried in turn. May have a path, as `/contexts/.eu` or `/apis/ccompat/v7`.',
    },
    { key: 'username', type: text, example: '${REGISTRY_USERNAME}', help: 'User of basic authentication.' },
    { key: 'password', type: text, example: '${REGISTRY_PASSWORD}', help: 'Password of basic authentication.' },
    { key: 'token', type: text, example: '${REGISTRY_TOKEN}', help: 'Bearer token, in place of user and password.' },
    tls(
      'Certificates for addresses that begin with https; left out: the system’s authorities.',
      'registry.example.com',
    ),
    {
      key: 'requestTimeout',
      type: duration(second, 10 * minute),
      default: '10s',
      help: 'Time after which a request counts as failed.',
    },
  ],
};

const restCatalog: readonly Option[] = [
  { key: 'uri', type: url, required: true, example: 'http://localhost:8181', help: 'Address, without `/v1`.' },
  { key: 'warehouse', type: text, example: 's3://lake/warehouse', help: 'Warehouse asked for at the catalog.' },
  { key: 'prefix', type: text, example: 'main', help: 'Path prefix; left out: the one that the catalog answers.' },
  { key: 'token', type: text, example: '${CATALOG_TOKEN}', help: 'Bearer token.' },
  {
    key: 'credential',
    type: text,
    example: '${CATALOG_CLIENT_ID}:${CATALOG_CLIENT_SECRET}',
    help: 'OAuth2 client credentials, `id:secret`; in place of `token`.',
  },
  {
    key: 'oauth2ServerUri',
    type: url,
    example: 'https://id.example.com/oauth2/token',
    help: 'Where tokens are asked for; left out: at the catalog.',
  },
  { key: 'scope', type: text, example: 'PRINCIPAL_ROLE:ALL', help: 'OAuth2 scope.' },
  {
    key: 'sigv4',
    help: 'Signs requests with AWS Signature Version 4.',
    type: {
      kind: 'object',
      options: [
        { key: 'region', type: text, required: true, example: 'eu-central-1', help: 'Region.' },
        { key: 'service', type: text, default: 'glue', help: '`glue` or `s3tables`.' },
      ],
    },
  },
  {
    key: 'requestTimeout',
    type: duration(second, 10 * minute),
    default: '60s',
    help: 'Time after which a request counts as failed, or a commit as unknown.',
  },
];

const sqlCatalog: readonly Option[] = [
  {
    key: 'uri',
    type: {
      kind: 'string',
      pattern: /^(sqlite:|postgres(ql)?:\/\/).+/,
      form: '`sqlite:FILE` or `postgres://user:password@host/database`',
    },
    required: true,
    example: 'sqlite:./catalog.db',
    help: 'Database.',
  },
  {
    key: 'warehouse',
    type: text,
    required: true,
    example: 'file:./warehouse',
    help: 'Where tables keep their files: `s3://…` or `file:…`.',
  },
  {
    key: 'catalogName',
    type: text,
    defaultText: 'the name in `catalogs`',
    example: 'lake',
    help: 'Name under which the rows stand; readers must attach under the same name.',
  },
];

const s3Type: OptionType = {
  kind: 'object',
  options: [
    {
      key: 'endpoint',
      type: url,
      example: 'http://localhost:9000',
      help: 'Server that speaks the S3 protocol; left out: AWS.',
    },
    { key: 'region', type: text, example: 'us-east-1', help: 'Region; left out: from the AWS environment.' },
    { key: 'pathStyle', type: { kind: 'boolean' }, default: false, help: 'Bucket in the path, not in the host name.' },
    {
      key: 'accessKeyId',
      type: text,
      example: '${S3_ACCESS_KEY_ID}',
      help: 'Access key; left out: the AWS credential chain, or vended by the catalog.',
    },
    { key: 'secretAccessKey', type: text, example: '${S3_SECRET_ACCESS_KEY}', help: 'Secret of the access key.' },
    { key: 'sessionToken', type: text, example: '${S3_SESSION_TOKEN}', help: 'Token of temporary credentials.' },
  ],
};

/** The whole configuration file. */
export const options: readonly Option[] = [
  { key: 'kafka', type: kafkaType, required: true, help: 'The cluster that is read.' },
  {
    key: 'schemaRegistry',
    type: registryType,
    nullable: true,
    help: 'Schema registry with the Confluent API; needed for schemas that records name by id (Avro, Protobuf, JSON Schema).',
  },
  {
    key: 'catalogs',
    type: {
      kind: 'named',
      min: 1,
      example: 'lake',
      item: {
        kind: 'variants',
        by: 'type',
        variants: { rest: restCatalog, sql: sqlCatalog },
        help: {
          rest: 'Iceberg REST catalog',
          sql: 'SQL catalog in the layout of Java’s JdbcCatalog and PyIceberg’s SqlCatalog',
        },
      },
    },
    required: true,
    help: 'Iceberg catalogs, by a name of your choice.',
  },
  {
    key: 'storage',
    type: { kind: 'object', options: [{ key: 's3', type: s3Type, default: {}, help: 'Object store.' }] },
    default: {},
    help: 'Where files are written, unless the catalog says so itself.',
  },
  {
    key: 'defaults',
    type: { kind: 'object', options: tableOptions, sparse: true },
    default: {},
    help: 'Options for all tables.',
  },
  {
    key: 'tables',
    type: { kind: 'list', min: 1, item: { kind: 'object', options: [...ruleOptions, ...tableOptions], sparse: true } },
    required: true,
    help: 'Rules from topics to tables. Each may set every option of `defaults` for itself.',
  },
  {
    key: 'http',
    nullable: true,
    default: {},
    help: '`/livez`, `/readyz`, `/metrics`, `/status` and a page at `/`; `off`: none.',
    type: {
      kind: 'object',
      switch: true,
      options: [
        { key: 'host', type: text, default: '0.0.0.0', help: 'Address that is listened on.' },
        { key: 'port', type: { kind: 'integer', min: 0, max: 65_535 }, default: 8080, help: 'Port; 0: any free one.' },
      ],
    },
  },
  {
    key: 'workers',
    type: { kind: 'integer', min: 0, max: 64 },
    defaultText: 'one less than processors, 1 to 4',
    example: 2,
    help: 'Threads that decode and encode; 0: none but the main one.',
  },
  {
    key: 'memory',
    type: size(64 * MiB, 256 * GiB),
    default: '512MiB',
    help: 'Bytes of records, columns and encoded files held at once; fetching waits while they are used up.',
  },
  {
    key: 'drainTimeout',
    type: duration(second, hour),
    default: '30s',
    help: 'How long the last commit after SIGTERM may take.',
  },
  {
    key: 'log',
    default: {},
    help: 'Log on standard error.',
    type: {
      kind: 'object',
      options: [
        {
          key: 'level',
          type: oneOf('trace', 'debug', 'info', 'warn', 'error', 'silent'),
          default: 'info',
          help: 'Least level that is written.',
        },
        {
          key: 'format',
          type: oneOf('json', 'pretty'),
          default: 'json',
          help: 'One JSON object a line, or for people.',
        },
      ],
    },
  },
];
