import { closest } from './closest.ts';
import { type ObjectType, type Option, type OptionType, Reason } from './option.ts';
import { show } from './option-types.ts';
import type { KeyPath, Problems } from './problem.ts';
import { formatDuration, formatSize, parseDuration, parseSize } from './units.ts';

/** Reads a value of the file by its type in the options table. Undefined when it was refused (the problem is noted). */
export function readValue(type: OptionType, raw: unknown, path: KeyPath, problems: Problems): unknown {
  switch (type.kind) {
    case 'string': {
      const value = typeof raw === 'number' || typeof raw === 'boolean' ? String(raw) : raw;
      if (typeof value !== 'string' || value === '')
        return problems.add(path, `is ${show(raw)}`, `Write ${type.form ?? 'a text'}.`);
      if (type.pattern && !type.pattern.test(value))
        return problems.add(
          path,
          `is ${show(raw)}`,
          `Write ${type.form ?? `a text that matches ${type.pattern.source}`}.`,
        );
      return value;
    }
    case 'integer':
      if (Number.isInteger(raw) && (raw as number) >= type.min && (raw as number) <= type.max) return raw;
      return problems.add(path, `is ${show(raw)}`, `Write a whole number from ${type.min} to ${type.max}.`);
    case 'duration':
      return readQuantity(
        raw,
        path,
        problems,
        parseDuration,
        type,
        formatDuration,
        'a duration with its unit, as 500ms, 60s, 10m, 1h or 7d',
      );
    case 'size':
      return readQuantity(
        raw,
        path,
        problems,
        parseSize,
        type,
        formatSize,
        'a size with its unit, as 64KiB, 128MiB or 1GiB',
      );
    case 'boolean':
      return typeof raw === 'boolean' ? raw : problems.add(path, `is ${show(raw)}`, 'Write true or false.');
    case 'enum': {
      if (typeof raw === 'string' && type.values.includes(raw)) return raw;
      const near = typeof raw === 'string' ? closest(raw, type.values) : null;
      return problems.add(
        path,
        `is ${show(raw)}${near ? `; did you mean ${near}?` : ''}`,
        `Write one of ${type.values.join(', ')}.`,
      );
    }
    case 'strings':
      return readStrings(type, raw, path, problems);
    case 'stringMap':
      return readStringMap(raw, path, problems);
    case 'object':
      return readObject(type, raw, path, problems);
    case 'variants': {
      if (!isObject(raw)) return problems.add(path, `is ${show(raw)}`, `Write keys under it, among them ${type.by}.`);
      const kinds = Object.keys(type.variants);
      const kind = raw[type.by];
      if (typeof kind !== 'string' || !kinds.includes(kind)) {
        return problems.add(
          [...path, type.by],
          kind === undefined ? 'is missing' : `is ${show(kind)}`,
          `Write one of ${kinds.join(', ')}.`,
        );
      }
      const { [type.by]: _, ...rest } = raw;
      return { [type.by]: kind, ...(readOptions(type.variants[kind]!, rest, path, problems, false) as object) };
    }
    case 'named': {
      if (!isObject(raw) || Object.keys(raw).length < type.min)
        return problems.add(path, 'is empty', `Define at least one, as ${type.example}: {…}.`);
      return Object.fromEntries(
        Object.entries(raw).map(([name, value]) => [name, readValue(type.item, value, [...path, name], problems)]),
      );
    }
    case 'list': {
      if (!Array.isArray(raw) || raw.length < type.min)
        return problems.add(
          path,
          Array.isArray(raw) ? 'is empty' : `is ${show(raw)}`,
          'Write a list with at least one entry.',
        );
      return raw.map((item, i) => readValue(type.item, item, [...path, i], problems));
    }
    case 'custom': {
      const value = type.read(raw);
      return value instanceof Reason ? problems.add(path, `is refused: ${value.reason}`, value.remedy) : value;
    }
  }
}

/** All keys of an object by their options: unknown ones are refused, absent ones get their default (not when `sparse`). */
export function readOptions(
  options: readonly Option[],
  raw: Record<string, unknown>,
  path: KeyPath,
  problems: Problems,
  sparse: boolean,
): Record<string, unknown> {
  const known = options.map((option) => option.key);
  for (const key of Object.keys(raw)) {
    if (known.includes(key)) continue;
    // `{ numbers: decimal(38, 2) }`: YAML takes the comma for the end of the value, and what follows it for a key.
    const cut = raw[key] === null && key.endsWith(')');
    const near = closest(key, known);
    problems.add(
      [...path, key],
      `is no known key${near ? `; did you mean ${near}?` : ''}`,
      cut ? 'Inside { } and [ ], put a text that has a comma in quotes.' : `Known here: ${known.join(', ')}.`,
    );
  }
  const result: Record<string, unknown> = {};
  for (const option of options) {
    const at = [...path, option.key];
    const written = raw[option.key];
    if (written !== undefined && written !== null) {
      const value = readValue(option.type, written, at, problems);
      if (value !== undefined) result[option.key] = value;
    } else if (written === null && option.nullable) result[option.key] = null;
    else if (option.required) problems.add(at, 'is missing', `Write it, for example ${exampleText(option)}.`);
    else if (sparse) continue;
    else if (option.default !== undefined) result[option.key] = readValue(option.type, option.default, at, problems);
    else if (option.nullable) result[option.key] = null;
  }
  return result;
}

function readObject(type: ObjectType, raw: unknown, path: KeyPath, problems: Problems): unknown {
  if (type.switch && (raw === false || raw === 'off')) return null;
  if (type.switch && raw === true) return readOptions(type.options, {}, path, problems, false);
  if (type.short !== undefined && typeof raw === 'string')
    return readOptions(type.options, { [type.short]: raw }, path, problems, false);
  if (!isObject(raw)) {
    const others = type.switch ? ', or off' : '';
    return problems.add(
      path,
      `is ${show(raw)}`,
      `Write keys under it: ${type.options.map((option) => option.key).join(', ')}${others}.`,
    );
  }
  return readOptions(type.options, raw, path, problems, type.sparse ?? false);
}

function readQuantity(
  raw: unknown,
  path: KeyPath,
  problems: Problems,
  parse: (text: string) => number | null,
  bounds: { min: number; max: number },
  format: (value: number) => string,
  form: string,
): number | undefined {
  const value = typeof raw === 'string' ? parse(raw) : null;
  if (value === null) return problems.add(path, `is ${show(raw)}`, `Write ${form}.`);
  if (value >= bounds.min && value <= bounds.max) return value;
  return problems.add(path, `is ${show(raw)}`, `Write a value from ${format(bounds.min)} to ${format(bounds.max)}.`);
}

function readStrings(
  type: Extract<OptionType, { kind: 'strings' }>,
  raw: unknown,
  path: KeyPath,
  problems: Problems,
): string[] | undefined {
  const items: unknown[] | null = typeof raw === 'string' ? splitAtCommas(raw) : Array.isArray(raw) ? raw : null;
  if (items === null || items.length < type.min)
    return problems.add(path, items ? 'is empty' : `is ${show(raw)}`, `Write a list of ${type.form ?? 'texts'}.`);
  const refused = (item: unknown): boolean =>
    typeof item !== 'string' ||
    item === '' ||
    (type.pattern ? !type.pattern.test(item) : false) ||
    (type.accepts ? !type.accepts(item) : false);
  items.forEach((item, i) => {
    if (refused(item))
      problems.add(Array.isArray(raw) ? [...path, i] : path, `is ${show(item)}`, `Write ${type.form ?? 'a text'}.`);
  });
  return items as string[];
}

/** At commas outside parentheses. */
function splitAtCommas(text: string): string[] {
  return text.split(/,(?![^(]*\))/).map((item) => item.trim());
}

function readStringMap(raw: unknown, path: KeyPath, problems: Problems): Record<string, string> | undefined {
  if (!isObject(raw)) return problems.add(path, `is ${show(raw)}`, 'Write names with texts under it.');
  const result: Record<string, string> = {};
  for (const [key, value] of Object.entries(raw)) {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      result[key] = String(value);
    else problems.add([...path, key], `is ${show(value)}`, 'Write a text.');
  }
  return result;
}

function exampleText(option: Option): string {
  if (option.example !== undefined)
    return `${option.key}: ${typeof option.example === 'string' ? option.example : JSON.stringify(option.example)}`;
  if (option.type.kind === 'object')
    return `${option.key}: { ${option.type.options
      .filter((o) => o.required)
      .map(exampleText)
      .join(', ')} }`;
  if (option.type.kind === 'list') return `${option.key}: [{ topic: shop.orders }]`;
  if (option.type.kind === 'named') return `${option.key}: { lake: { type: rest, uri: http://localhost:8181 } }`;
  return `${option.key}: …`;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
