import type { Option } from './option.ts';
import {
  columnType,
  duration,
  numbersType,
  oneOf,
  patternType,
  percentType,
  schemaType,
  size,
  startFromType,
  text,
} from './option-types.ts';
import { routeType } from './route.ts';
import { parsePartitionTerm, partitionTermForm } from './partition-term.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;
const second = 1000;
const minute = 60 * second;

const formats = [
  'auto',
  'avro',
  'json',
  'json-schema',
  'protobuf',
  'string',
  'bytes',
  'debezium',
  'cloudevents',
] as const;

/** How one part of a record is decoded. */
const formatOptions: readonly Option[] = [
  {
    key: 'format',
    type: oneOf(...formats),
    default: 'auto',
    help: '`auto`: by the type of the schema whose id the record carries, else JSON without schema; `string` and `bytes`: one column `value`; `debezium`: change events in Avro or JSON, the row as columns and all else in `_debezium`; `cloudevents`: attributes and `data` as columns.',
  },
  {
    key: 'schema',
    type: schemaType,
    default: 'id',
    help: '`id`: by the schema id before the bytes or in the header; `latest`: the newest version of the subject, and newer ones as they come; `{ file: … }`: a schema file, after it those that it references. Without ids the bytes are the payload alone.',
  },
  {
    key: 'subject',
    type: text,
    nullable: true,
    example: 'shop.orders-value',
    help: 'Subject in the registry; left out: by `subjectNameStrategy`.',
  },
  {
    key: 'subjectNameStrategy',
    type: oneOf('topic', 'record', 'topic-record'),
    default: 'topic',
    help: 'How producers name subjects: `<topic>-value`; the record’s full name; `<topic>-<full name>`. What is known of a table’s columns before its first record, and what `latest` means, follows from it.',
  },
  {
    key: 'message',
    type: text,
    nullable: true,
    example: 'com.example.Order',
    help: 'Full name of the record or message: for the strategies `record` and `topic-record`, and for files that define several.',
  },
  {
    key: 'refresh',
    type: duration(second, 24 * 60 * minute),
    default: '30s',
    help: 'How often a newer version is looked for (`schema: latest`).',
  },
];

/** Options that a table rule may set and that `defaults` sets for all rules. */
export const tableOptions: readonly Option[] = [
  {
    key: 'catalog',
    type: text,
    help: 'Name of the catalog, from `catalogs`.',
    defaultText: 'the only one in `catalogs`',
    example: 'lake',
  },
  { key: 'namespace', type: text, default: 'default', help: 'Namespace of tables whose name has no dot.' },
  { key: 'branch', type: text, default: 'main', help: 'Branch that is written.' },
  {
    key: 'value',
    type: {
      kind: 'object',
      short: 'format',
      options: formatOptions,
    },
    default: {},
    help: 'How record values are decoded.',
  },
  {
    key: 'key',
    type: { kind: 'object', short: 'format', options: formatOptions },
    nullable: true,
    defaultText: 'keys are not decoded',
    help: 'How record keys are decoded: into the struct `_key`. Their bytes are in `_kafka.key` in any case.',
  },
  {
    key: 'startFrom',
    type: startFromType,
    default: 'earliest',
    help: 'Where a table without offsets begins. Applies once; afterwards the table itself says where to go on.',
  },
  {
    key: 'commitInterval',
    type: duration(100, 30 * minute),
    default: '60s',
    help: 'Longest time between commits while records come in: the freshness of the table.',
  },
  {
    key: 'targetFileSize',
    type: size(64 * KiB, 4 * GiB),
    default: '128MiB',
    help: 'Size at which a data file is closed before the commit interval is over.',
  },
  {
    key: 'rowGroupSize',
    type: size(64 * KiB, GiB),
    default: '16MiB',
    help: 'Compressed size at which a Parquet row group is closed; at most `targetFileSize`.',
  },
  {
    key: 'compression',
    type: oneOf('zstd', 'snappy', 'gzip', 'none'),
    default: 'zstd',
    help: 'Compression of Parquet pages.',
  },
  {
    key: 'compressionLevel',
    type: { kind: 'integer', min: 1, max: 19 },
    defaultText: '1 for zstd, 6 for gzip',
    example: 1,
    help: 'zstd 1–19, gzip 1–9.',
  },
  {
    key: 'partitionBy',
    type: { kind: 'strings', min: 0, accepts: (term) => parsePartitionTerm(term) !== null, form: partitionTermForm },
    default: [],
    example: ['day(created_at)', 'bucket(16, customer_id)'],
    help: 'Partition spec of a table that is created; an existing table keeps its own.',
  },
  {
    key: 'metadataColumns',
    type: oneOf('struct', 'flat', 'off'),
    default: 'struct',
    help: 'Topic, partition, offset, timestamp, key and headers: as a struct `_kafka`, as columns `_kafka_offset` …, or not at all (then `verify --deep` cannot read them).',
  },
  {
    key: 'onIncompatible',
    type: oneOf('dead-letter', 'stop', 'new-column'),
    default: 'dead-letter',
    help: 'What to do with a schema change that Iceberg cannot express. `new-column`: a column `<name>_<type>` beside the old one; in JSON without schema, which has no changes but values of another kind than their column, for these values.',
  },
  {
    key: 'onBadRecord',
    type: oneOf('dead-letter', 'stop'),
    default: 'dead-letter',
    help: 'What to do with a record that cannot be represented.',
  },
  {
    key: 'onMissingOffsets',
    type: oneOf('stop', 'skip'),
    default: 'stop',
    help: 'What to do when retention deleted records that were not read yet; `skip` records the gap in the table.',
  },
  {
    key: 'onDropped',
    type: oneOf('stop', 'recreate', 'ignore'),
    default: 'stop',
    help: 'What to do when someone dropped a column that records still have; `ignore`: it stays dropped, and its values are not written but counted.',
  },
  {
    key: 'maxDeadLetterRate',
    type: percentType,
    nullable: true,
    example: '5%',
    help: 'Pauses a topic for the table when more of its records are dead letters: an allowance of this share of 1,000 records (`5%`: 50 dead letters, in each worker), which dead letters use up and rows fill again. What is left waits in Kafka; it is read on after a restart, after a rebalance or when the table is put back. Left out: no limit.',
  },
  {
    key: 'deadLetterTopic',
    type: text,
    nullable: true,
    example: 'shop.dead-letters',
    help: 'Topic that dead letters are produced to as well, at least once, with headers `tabletopic.code`, `tabletopic.reason`, `tabletopic.topic` and others. It must exist. Left out: only `<table>_dead_letters` has them.',
  },
  {
    key: 'schemaChanges',
    type: oneOf('auto', 'additive', 'manual'),
    default: 'auto',
    help: 'Schema changes made without asking: all that Iceberg can express, only new optional columns, or none. Any other waits for `tabletopic approve`, and so do the records behind it in their partition.',
  },
  {
    key: 'formatVersion',
    type: { kind: 'integer', min: 2, max: 3 },
    default: 2,
    help: 'Iceberg format version of tables when they are created; 3 adds row ids and nanosecond timestamps, which not every engine reads yet.',
  },
  {
    key: 'properties',
    type: { kind: 'stringMap' },
    default: {},
    example: { 'write.metadata.previous-versions-max': '100' },
    help: 'Table properties set when a table is created.',
  },
  {
    key: 'required',
    type: { kind: 'boolean' },
    default: false,
    help: 'Keeps columns required where the source schema says so; a tombstone is then a dead letter.',
  },
  {
    key: 'timeOfDay',
    type: oneOf('time', 'long', 'string'),
    default: 'time',
    help: 'Column type of a time of day; Spark cannot load a table that has a `time` column.',
  },
  {
    key: 'nanos',
    type: oneOf('micros', 'long', 'error', 'native'),
    default: 'micros',
    help: 'Nanosecond timestamps: cut to microseconds (what is cut is counted), kept as a long, refused, or columns of nanoseconds (timestamptz_ns, timestamp_ns; years 1677 to 2262), which need formatVersion 3.',
  },
  {
    key: 'uint64',
    type: oneOf('decimal', 'long'),
    default: 'decimal',
    help: 'Column type of Protobuf uint64 and fixed64: decimal(20, 0), or a long, which makes a dead letter of a value above 9223372036854775807.',
  },
  {
    key: 'unions',
    type: oneOf('optional', 'struct'),
    default: 'optional',
    help: '`struct`: a union of null and one type is a struct from the start, so that types can be added to it later.',
  },
  {
    key: 'numbers',
    type: numbersType,
    default: 'auto',
    help: 'Column type of numbers in JSON without schema; `auto`: long, or double once a fraction is seen.',
  },
  {
    key: 'columns',
    type: { kind: 'named', item: columnType, min: 0, example: 'paid_at' },
    default: {},
    help: 'Types of columns of JSON without schema, by dotted path, as { paid_at: timestamptz, customer.id: uuid }: the only way to dates, times, UUIDs, bytes (base64) and decimals of their own.',
  },
  {
    key: 'jsonColumns',
    type: { kind: 'named', item: oneOf('json', 'map'), min: 0, example: 'attributes' },
    default: {},
    help: 'Objects in JSON that are kept as JSON text, or as a map of string to one type, by dotted path, as { attributes: json, labels: map }; also with a JSON Schema.',
  },
  {
    key: 'maxColumns',
    type: { kind: 'integer', min: 1, max: 10_000 },
    default: 1_000,
    help: 'Most columns inferred from JSON without schema, at all levels together. Fields beyond it are kept in one JSON column `_extra` of the struct that they stand in.',
  },
  {
    key: 'inferRecords',
    type: { kind: 'integer', min: 1, max: 1_000_000 },
    default: 10_000,
    help: 'Records of JSON without schema looked at before its columns are decided.',
  },
  { key: 'inferTime', type: duration(100, 5 * minute), default: '5s', help: 'Longest wait for these records.' },
  {
    key: 'naming',
    type: {
      kind: 'object',
      options: [
        {
          key: 'case',
          type: oneOf('keep', 'lower'),
          default: 'keep',
          help: 'Case of names that are made from topics.',
        },
        {
          key: 'replace',
          type: { kind: 'stringMap' },
          default: {},
          example: { '-': '_' },
          help: 'Texts replaced in names that are made from topics, before they are split at dots.',
        },
      ],
    },
    default: {},
    help: 'How topic names become table names.',
  },
];

/** Options that only a table rule has. */
export const ruleOptions: readonly Option[] = [
  {
    key: 'topic',
    type: { kind: 'string', pattern: /^[A-Za-z0-9._-]{1,249}$/, form: 'a topic name' },
    example: 'shop.orders',
    help: 'The topic. This line alone makes it a table of the same name.',
  },
  {
    key: 'topicPattern',
    type: patternType,
    example: '^shop\\.(.+)\\.v(\\d+)$',
    help: 'In place of `topic`: every topic that matches, also those that appear later. Searched as written: anchor it with ^ and $.',
  },
  {
    key: 'table',
    type: text,
    example: 'shop.orders',
    help: 'Namespace and name of the table; `$1` … are the groups of `topicPattern`. Left out: named after the topic.',
  },
  {
    key: 'route',
    type: routeType,
    nullable: true,
    example: { header: { name: 'type', equals: 'order' } },
    help: 'Which records of `topic` the table takes, where several rules name the topic: by the record’s full name (Avro, Protobuf) or title (JSON Schema), a header, or a field of the value (column names with dots; text, whole numbers, booleans); `equals` one text or several, or `matches` a regular expression. The first rule that takes a record has it; `otherwise`: what no other takes. A record that no rule takes is a dead letter of the first one’s table. Left out: all records.',
  },
  {
    key: 'location',
    type: text,
    nullable: true,
    example: 's3://lake/warehouse/shop/orders',
    help: 'Where a table that is created keeps its files; left out: the catalog decides.',
  },
];
