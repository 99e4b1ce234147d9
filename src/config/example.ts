import { stringify } from 'yaml';
import type { Option, OptionType } from './option.ts';
import { options } from './options.ts';
import { tableOptions } from './table-options.ts';

const head = `# tabletopic configuration with every option. What is not commented out is all that is needed;
# what is commented out shows the default, or an example where there is none.
# Values come from the environment as \${VAR} or \${VAR:-default}, in quotes inside [ ] and { }.
# Durations: 500ms, 60s, 10m, 1h, 7d. Sizes: 64KiB, 128MiB, 1GiB.
# Written by \`node src/config/generate-schema.ts\` from src/config/options.ts.
`;

/** A value that is written although it has a default or is optional: what makes the file work against servers on this machine. */
const active: Readonly<Record<string, unknown>> = {
  'kafka.brokers': ['localhost:9092'],
  'schemaRegistry.url': 'http://localhost:8081',
  'catalogs.lake.type': 'rest',
  'catalogs.lake.uri': 'http://localhost:8181',
  'catalogs.lake.warehouse': 's3://lake/warehouse',
  'storage.s3.endpoint': 'http://localhost:9000',
  'storage.s3.region': 'us-east-1',
  'storage.s3.pathStyle': true,
};

/** The example file: deploy/tabletopic.example.yaml. */
export function configExample(): string {
  return `${head}${options.map((option) => `\n${block(option, '', 0)}`).join('')}`;
}

function block(option: Option, prefix: string, depth: number): string {
  const path = `${prefix}${option.key}`;
  const lines = comment(option, depth);
  if (path === 'tables') return `${lines}tables:\n  - topic: shop.orders\n${listed(option.type, depth)}`;
  if (path === 'catalogs')
    return `${lines}catalogs:\n  lake:\n${variants((option.type as Extract<OptionType, { kind: 'named' }>).item, `${path}.lake.`, depth + 2)}`;
  const nested = children(option.type);
  if (nested === null) return `${lines}${line(option, path, depth)}`;
  const body =
    option.type.kind === 'variants'
      ? variants(option.type, `${path}.`, depth + 1)
      : nested.map((child) => block(child, `${path}.`, depth + 1)).join('');
  const used = body.split('\n').some((text) => text !== '' && !text.trimStart().startsWith('#'));
  return `${lines}${indent(depth)}${used ? '' : '# '}${option.key}:\n${body}`;
}

/** A rule's own options, then where the others are. */
function listed(type: OptionType, depth: number): string {
  if (type.kind !== 'list' || type.item.kind !== 'object') return '';
  const own = type.item.options.filter((option) => !tableOptions.includes(option) && option.key !== 'topic');
  return `${own.map((option) => block(option, 'tables[].', depth + 2)).join('')}${indent(depth + 2)}# Every option of \`defaults\` may stand here too.\n`;
}

function variants(type: OptionType, prefix: string, depth: number): string {
  if (type.kind !== 'variants') return '';
  return Object.entries(type.variants)
    .map(([name, list], i) => {
      const written = active[`${prefix}${type.by}`] === name;
      const own = list.map((option) => block(option, written ? prefix : `${prefix}${name}.`, depth)).join('');
      const same = i > 0 && list === Object.values(type.variants)[i - 1];
      const sameKeys = JSON.stringify(list) === JSON.stringify(Object.values(type.variants)[i - 1] ?? null);
      return `${indent(depth)}# For ${type.by} ${name}, ${type.help[name]!}:\n${indent(depth)}${written ? '' : '# '}${type.by}: ${name}\n${same || sameKeys ? '' : own}`;
    })
    .join('');
}

function children(type: OptionType): readonly Option[] | null {
  if (type.kind === 'object') return type.options;
  return type.kind === 'variants' ? [] : null;
}

function comment({ help, required }: Option, depth: number): string {
  return `${indent(depth)}# ${help}${required ? ' Required.' : ''}\n`;
}

function line(option: Option, path: string, depth: number): string {
  const value = active[path];
  const shown = value ?? option.default ?? option.example ?? '';
  const empty =
    typeof shown === 'object' && Object.keys(shown).length === 0 && option.example !== undefined
      ? option.example
      : shown;
  const text = stringify(
    { [option.key]: empty },
    { flowCollectionPadding: true, collectionStyle: 'flow', lineWidth: 0 },
  )
    .trim()
    .replace(/^\{ (.*) \}$/s, '$1');
  return `${indent(depth)}${value === undefined ? '# ' : ''}${text}\n`;
}

function indent(depth: number): string {
  return '  '.repeat(depth);
}
