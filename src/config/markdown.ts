import type { Option, OptionType } from './option.ts';
import { options } from './options.ts';
import { ruleOptions } from './table-options.ts';
import { formatDuration, formatSize } from './units.ts';

/** The configuration table of the README: one line for every key. */
export function configMarkdown(): string {
  return [
    '| key | value | default | |',
    '| --- | --- | --- | --- |',
    ...options.flatMap((option) => rows(option, '')),
  ].join('\n');
}

function rows(option: Option, prefix: string): string[] {
  const path = `${prefix}${option.key}`;
  const { type } = option;
  const own = `| \`${path}\` | ${cell(valueText(type))} | ${cell(defaultText(option))} | ${cell(option.help)} |`;
  // The options of `defaults` and of a rule are the same: shown once.
  if (path === 'tables') return [own, ...ruleOptions.flatMap((rule) => rows(rule, 'tables[].'))];
  return [own, ...children(type, path)];
}

function children(type: OptionType, path: string): string[] {
  if (type.kind === 'object' && type.short === undefined)
    return type.options.flatMap((option) => rows(option, `${path}.`));
  if (type.kind === 'object') return type.options.map((option) => rows(option, `${path}.`)[0]!);
  if (type.kind === 'named') return children(type.item, `${path}.<name>`);
  if (type.kind === 'list') return children(type.item, `${path}[]`);
  if (type.kind !== 'variants') return [];
  const by = `| \`${path}.${type.by}\` | ${cell(
    Object.keys(type.variants)
      .map((name) => `\`${name}\``)
      .join(', '),
  )} | required | ${cell(
    Object.entries(type.help)
      .map(([name, help]) => `\`${name}\`: ${help}`)
      .join('; '),
  )}. |`;
  const lists = Object.entries(type.variants);
  // A key that several variants share word for word is shown once; what only one has says which.
  const shown = new Map<string, { option: Option; variants: string[] }>();
  for (const [name, list] of lists) {
    for (const option of list) {
      const id = JSON.stringify([option.key, option.help, option.default]);
      const entry = shown.get(id) ?? { option, variants: [] };
      entry.variants.push(name);
      shown.set(id, entry);
    }
  }
  return [
    by,
    ...[...shown.values()].flatMap(({ option, variants }) =>
      rows(
        { ...option, help: variants.length === lists.length ? option.help : `(${variants.join(', ')}) ${option.help}` },
        `${path}.`,
      ),
    ),
  ];
}

function valueText(type: OptionType): string {
  switch (type.kind) {
    case 'string':
      return type.form ?? 'text';
    case 'integer':
      return `${type.min} to ${type.max}`;
    case 'duration':
      return `duration, ${formatDuration(type.min)} to ${formatDuration(type.max)}`;
    case 'size':
      return `size, ${formatSize(type.min)} to ${formatSize(type.max)}`;
    case 'boolean':
      return '`true`, `false`';
    case 'enum':
      return type.values.map((value) => `\`${value}\``).join(', ');
    case 'strings':
      return `list of ${type.form ?? 'texts'}`;
    case 'stringMap':
      return 'names and texts';
    case 'object':
      return type.switch ? 'keys below, `true` or `off`' : 'keys below';
    case 'variants':
      return 'keys below';
    case 'named':
      return 'by name';
    case 'list':
      return 'list';
    case 'custom':
      return type.form;
  }
}

function defaultText(option: Option): string {
  if (option.required) return 'required';
  if (option.defaultText !== undefined) return option.defaultText;
  const written = option.default;
  return typeof written === 'string' || typeof written === 'number' || typeof written === 'boolean'
    ? `\`${written}\``
    : '';
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
