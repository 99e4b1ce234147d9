import type { Config, FormatOptions, TableRule } from './config.ts';
import { closest } from './closest.ts';
import type { KeyPath, Problems } from './problem.ts';
import { isObject } from './read.ts';
import { formatSize } from './units.ts';

/** What no option says alone: contradictions between keys. `raw` tells what was written from what was filled in. */
export function checkRelations(config: Config, raw: Record<string, unknown>, problems: Problems): void {
  checkKafka(config, problems);
  checkCatalogs(config, problems);
  checkRegistry(config, problems);
  const rawTables = raw['tables'] as Record<string, unknown>[];
  const rawDefaults = isObject(raw['defaults']) ? raw['defaults'] : {};
  config.tables.forEach((rule, i) => {
    checkTopic(rule, ['tables', i], problems);
    checkTable(config, rule, rawTables[i]!, rawDefaults, ['tables', i], problems);
  });
  checkSameTopicSameTable(config.tables, problems);
  checkSameRoute(config.tables, problems);
}

function checkKafka({ kafka, memory }: Config, problems: Problems): void {
  if (kafka.revokeTimeout >= kafka.rebalanceTimeout)
    problems.add(
      ['kafka', 'revokeTimeout'],
      'is not below kafka.rebalanceTimeout',
      'Lower it, or raise rebalanceTimeout.',
    );
  if (kafka.fetchPartitionBytes > kafka.fetchMaxBytes)
    problems.add(['kafka', 'fetchPartitionBytes'], 'is above kafka.fetchMaxBytes', 'Lower it, or raise fetchMaxBytes.');
  if (kafka.fetchMaxBytes > memory / 4)
    problems.add(
      ['kafka', 'fetchMaxBytes'],
      `is above a quarter of memory (${formatSize(memory)})`,
      'Lower it, or raise memory.',
    );
  if (kafka.fetchMaxWait >= kafka.requestTimeout)
    problems.add(['kafka', 'fetchMaxWait'], 'is not below kafka.requestTimeout', 'Lower it, or raise requestTimeout.');
  if (kafka.tls && (kafka.tls.cert === undefined) !== (kafka.tls.key === undefined))
    problems.add(['kafka', 'tls'], 'has only one of cert and key', 'Give both, or neither.');
}

function checkCatalogs({ catalogs, storage }: Config, problems: Problems): void {
  for (const [name, catalog] of Object.entries(catalogs)) {
    const path = ['catalogs', name];
    if (catalog.type === 'rest' && catalog.token !== undefined && catalog.credential !== undefined)
      problems.add([...path, 'token'], 'stands beside credential', 'Keep one of them.');
    if (catalog.type === 'rest' && catalog.credential === undefined && catalog.oauth2ServerUri !== undefined)
      problems.add([...path, 'oauth2ServerUri'], 'has no use without credential', 'Give credential, or leave it out.');
    if (catalog.type === 'sql' && !/^(s3|s3a|file):/.test(catalog.warehouse))
      problems.add(
        [...path, 'warehouse'],
        `is ${JSON.stringify(catalog.warehouse)}`,
        'Write s3://bucket/path or file:directory.',
      );
  }
  const { accessKeyId, secretAccessKey } = storage.s3;
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined))
    problems.add(['storage', 's3'], 'has only one of accessKeyId and secretAccessKey', 'Give both, or neither.');
}

function checkRegistry({ schemaRegistry }: Config, problems: Problems): void {
  if (!schemaRegistry) return;
  if (schemaRegistry.token !== undefined && schemaRegistry.username !== undefined)
    problems.add(['schemaRegistry', 'token'], 'stands beside username', 'Keep one of them.');
  if ((schemaRegistry.username === undefined) !== (schemaRegistry.password === undefined))
    problems.add(['schemaRegistry'], 'has only one of username and password', 'Give both, or neither.');
  const { tls } = schemaRegistry;
  if (tls && (tls.cert === undefined) !== (tls.key === undefined))
    problems.add(['schemaRegistry', 'tls'], 'has only one of cert and key', 'Give both, or neither.');
}

function checkTopic(rule: TableRule, path: KeyPath, problems: Problems): void {
  if (rule.topic !== null && rule.topicPattern !== null)
    return problems.add([...path, 'topicPattern'], 'stands beside topic', 'Keep one of them.');
  if (rule.topic === null && rule.topicPattern === null)
    return problems.add(path, 'has neither topic nor topicPattern', 'Name the topic: - topic: shop.orders.');
  const groups = rule.topicPattern ? new RegExp(`${rule.topicPattern.source}|`, 'u').exec('')!.length - 1 : 0;
  for (const [, digits] of rule.table?.matchAll(/\$(\d+)/g) ?? []) {
    if (rule.topicPattern === null)
      problems.add(
        [...path, 'table'],
        `uses $${digits} without topicPattern`,
        'Write the table’s name, or use topicPattern.',
      );
    else if (Number(digits) > groups || digits === '0')
      problems.add(
        [...path, 'table'],
        `uses $${digits}, and topicPattern has ${groups} group${groups === 1 ? '' : 's'}`,
        'Use $1 and so on for the groups in parentheses.',
      );
  }
  if (rule.table !== null && rule.table.split('.').includes(''))
    problems.add([...path, 'table'], `is ${JSON.stringify(rule.table)}`, 'Write a name, or namespace.name.');
  if (rule.route !== null && (rule.topic === null || rule.table === null))
    problems.add(
      [...path, 'route'],
      `stands without ${rule.topic === null ? 'topic' : 'table'}`,
      'Name the topic and the table: a route parts one topic between tables.',
    );
  if (rule.location !== null && rule.topicPattern !== null && (rule.table === null || rule.table.includes('$')))
    problems.add(
      [...path, 'location'],
      'is one place for several tables',
      'Leave it out, or give one rule to each topic.',
    );
  return undefined;
}

function checkTable(
  config: Config,
  rule: TableRule,
  raw: Record<string, unknown>,
  rawDefaults: Record<string, unknown>,
  path: KeyPath,
  problems: Problems,
): void {
  // The key stands in the rule or, where the rule does not write it, in `defaults`.
  const at = (key: string): KeyPath =>
    raw[key] === undefined && rawDefaults[key] !== undefined ? ['defaults', key] : [...path, key];
  const names = Object.keys(config.catalogs);
  if (rule.catalog === undefined)
    problems.add(
      [...path, 'catalog'],
      `is missing, and there are several catalogs (${names.join(', ')})`,
      'Set it here or in defaults.',
    );
  else if (!names.includes(rule.catalog)) {
    const near = closest(rule.catalog, names);
    problems.add(
      at('catalog'),
      `names ${JSON.stringify(rule.catalog)}, which catalogs does not define${near ? `; did you mean ${near}?` : ''}`,
      `Defined: ${names.join(', ')}.`,
    );
  }
  for (const part of ['value', 'key'] as const) {
    const format = rule[part];
    if (format) checkFormat(config, format, at(part), problems);
  }
  if (rule.topic !== null && config.tables.some((other) => other.deadLetterTopic === rule.topic))
    problems.add(
      [...path, 'topic'],
      'is a dead-letter topic too: what is bad in it would go round for ever',
      'Read it with another group of tables, or name another deadLetterTopic.',
    );
  if (rule.formatVersion < 3) {
    const remedy = 'Add formatVersion: 3, with which the table is created.';
    if (rule.nanos === 'native')
      problems.add(at('nanos'), `is native, and formatVersion ${rule.formatVersion} has no nanoseconds`, remedy);
    for (const [name, type] of Object.entries(rule.columns))
      if (type.endsWith('_ns'))
        problems.add([...at('columns'), name], `is ${type}, which formatVersion ${rule.formatVersion} lacks`, remedy);
  }
  if (rule.properties['format-version'] !== undefined)
    problems.add([...at('properties'), 'format-version'], 'is an option of its own', 'Use formatVersion.');
  for (const name of Object.keys(rule.columns).filter((column) => Object.hasOwn(rule.jsonColumns, column)))
    problems.add([...at('columns'), name], 'stands in jsonColumns too', 'Keep one of them.');
  if (rule.rowGroupSize > rule.targetFileSize)
    problems.add(
      at('rowGroupSize'),
      `is above targetFileSize (${formatSize(rule.targetFileSize)})`,
      'Lower it, or raise targetFileSize.',
    );
  if (rule.targetFileSize > config.memory * 8)
    problems.add(
      at('targetFileSize'),
      `is above eight times memory (${formatSize(config.memory)})`,
      'Lower it, or raise memory.',
    );
  if (rule.compression === 'gzip' && rule.compressionLevel > 9)
    problems.add(at('compressionLevel'), `is ${rule.compressionLevel}`, 'gzip has levels 1 to 9.');
  if (raw['compressionLevel'] !== undefined && (rule.compression === 'snappy' || rule.compression === 'none'))
    problems.add(
      [...path, 'compressionLevel'],
      `has no use with ${rule.compression}`,
      'Leave it out, or choose zstd or gzip.',
    );
  if (rule.topicPattern !== null && typeof rule.startFrom === 'object' && 'offsets' in rule.startFrom)
    problems.add(
      at('startFrom'),
      'gives offsets for a pattern of topics',
      'Give one rule to each topic, or start from a time.',
    );
}

/** Formats whose schemas stand in a registry or a file. */
const WITH_SCHEMA: ReadonlySet<string> = new Set(['avro', 'protobuf', 'json-schema', 'debezium']);

function checkFormat(config: Config, format: FormatOptions, path: KeyPath, problems: Problems): void {
  const { schema, subject, subjectNameStrategy, message } = format;
  const from = typeof schema === 'object' ? 'file' : schema;
  if (from !== 'id' && !WITH_SCHEMA.has(format.format))
    return problems.add(
      [...path, 'schema'],
      `is ${from}, and ${format.format} has no schema`,
      `Name the format, as format: avro.`,
    );
  if (from !== 'file' && needsRegistry(format) && config.schemaRegistry === null)
    return problems.add(path, `is ${format.format}, and there is no schemaRegistry`, 'Add schemaRegistry: { url: … }.');
  if (from === 'latest' && subject === null && subjectNameStrategy !== 'topic' && message === null)
    return problems.add(
      [...path, 'schema'],
      `is latest, and subjectNameStrategy ${subjectNameStrategy} does not say of which subject`,
      'Give subject or message.',
    );
  return undefined;
}

/** Debezium comes as JSON too. */
function needsRegistry({ format, schema }: FormatOptions): boolean {
  return WITH_SCHEMA.has(format) && (format !== ('debezium' as string) || schema === 'latest');
}

function checkSameTopicSameTable(rules: readonly TableRule[], problems: Problems): void {
  const seen = new Map<string, TableRule>();
  rules.forEach((rule, i) => {
    if (rule.topic === null) return;
    const key = JSON.stringify([rule.topic, rule.catalog, rule.table, rule.table === null ? rule.naming : null]);
    const earlier = seen.get(key);
    if (earlier)
      problems.add(
        ['tables', i],
        `gives topic ${rule.topic} the same table as ${earlier.path}`,
        'Remove one of them, or name another table.',
      );
    else seen.set(key, rule);
  });
}

/** A rule that takes nothing because an earlier one takes the very same has a table that stays empty for ever. */
function checkSameRoute(rules: readonly TableRule[], problems: Problems): void {
  const seen = new Map<string, TableRule>();
  rules.forEach((rule, i) => {
    if (rule.topic === null || rule.route === null) return;
    const key = JSON.stringify([rule.topic, rule.route]);
    const earlier = seen.get(key);
    if (earlier)
      problems.add(
        ['tables', i, 'route'],
        `takes what ${earlier.path} takes first`,
        'Remove one of them, or write another condition.',
      );
    else seen.set(key, rule);
  });
}
