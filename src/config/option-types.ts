import { type CustomType, type OptionType, Reason } from './option.ts';

/** Types of single options that need a reader of their own. */

const isoTime = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2}))?$/;
const startForms = 'earliest, latest, { timestamp: 2026-01-31T00:00:00Z } or { offsets: { 0: 5, 1: 7 } }';

/** `startFrom`: applies once, when the table has no offsets yet. Times become milliseconds. */
export const startFromType: CustomType = {
  kind: 'custom',
  form: startForms,
  schema: {
    anyOf: [
      { enum: ['earliest', 'latest'] },
      {
        type: 'object',
        required: ['timestamp'],
        properties: { timestamp: { type: 'string', description: 'ISO 8601 with a time zone' } },
        additionalProperties: false,
      },
      {
        type: 'object',
        required: ['offsets'],
        properties: { offsets: { type: 'object', additionalProperties: { type: 'integer', minimum: 0 } } },
        additionalProperties: false,
      },
    ],
  },
  read(raw) {
    if (raw === 'earliest' || raw === 'latest') return raw;
    const refused = new Reason(`${show(raw)} is no start position`, `Write ${startForms}.`);
    if (typeof raw !== 'object' || raw === null || Object.keys(raw).length !== 1) return refused;
    const { timestamp, offsets } = raw as { timestamp?: unknown; offsets?: unknown };
    if (timestamp !== undefined) {
      const ms = typeof timestamp === 'string' && isoTime.test(timestamp) ? Date.parse(timestamp) : Number.NaN;
      return Number.isNaN(ms)
        ? new Reason(
            `timestamp ${show(timestamp)} is no ISO 8601 time with a time zone`,
            'Write it as 2026-01-31T00:00:00Z.',
          )
        : { timestamp: ms };
    }
    if (typeof offsets !== 'object' || offsets === null || Array.isArray(offsets)) return refused;
    for (const [partition, offset] of Object.entries(offsets)) {
      if (!/^\d+$/.test(partition) || !Number.isSafeInteger(offset) || (offset as number) < 0) {
        return new Reason(
          `offsets has ${show(partition)}: ${show(offset)}`,
          'Write partition numbers with the first offset to read, as { 0: 5, 1: 7 }.',
        );
      }
    }
    return { offsets: { ...offsets } };
  },
};

/** `maxDeadLetterRate`: a share in percent. */
export const percentType: CustomType = {
  kind: 'custom',
  form: 'a share, as 5%',
  schema: { type: 'string', pattern: '^\\d{1,3}(\\.\\d+)?%$' },
  read(raw) {
    const match = typeof raw === 'string' ? /^(\d{1,3}(?:\.\d+)?)%$/.exec(raw) : null;
    const percent = Number(match?.[1]);
    return match && percent > 0 && percent < 100
      ? percent / 100
      : new Reason(`${show(raw)} is no share`, 'Write a share above 0% and below 100%, as 5%.');
  },
};

const schemaForms = 'id, latest, { file: order.avsc } or { file: [order.avsc, customer.avsc] }';

/** `schema` of a format: where the writer schema comes from. */
export const schemaType: CustomType = {
  kind: 'custom',
  form: schemaForms,
  schema: {
    anyOf: [
      { enum: ['id', 'latest'] },
      {
        type: 'object',
        required: ['file'],
        properties: {
          file: { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' }, minItems: 1 }] },
        },
        additionalProperties: false,
      },
    ],
  },
  read(raw) {
    if (raw === 'id' || raw === 'latest') return raw;
    const refused = new Reason(`${show(raw)} is no place of a schema`, `Write ${schemaForms}.`);
    if (typeof raw !== 'object' || raw === null || Object.keys(raw).join() !== 'file') return refused;
    const { file } = raw as { file: unknown };
    const files: unknown[] = Array.isArray(file) ? file : [file];
    if (files.length === 0 || !files.every((one) => typeof one === 'string' && one !== '')) return refused;
    return { file: files, text: '', references: {} };
  },
};

/** `numbers` of JSON without schema. */
export const numbersType: CustomType = {
  kind: 'custom',
  form: 'auto, double or decimal(p, s)',
  schema: {
    anyOf: [{ enum: ['auto', 'double'] }, { type: 'string', pattern: '^decimal\\(\\s*\\d+\\s*,\\s*\\d+\\s*\\)$' }],
  },
  read(raw) {
    if (raw === 'auto' || raw === 'double') return raw;
    const match = typeof raw === 'string' ? /^decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)$/.exec(raw) : null;
    const precision = Number(match?.[1]);
    const scale = Number(match?.[2]);
    if (match && precision >= 1 && precision <= 38 && scale <= precision) return `decimal(${precision}, ${scale})`;
    return new Reason(
      `${show(raw)} is no number type`,
      'Write auto, double or decimal(p, s) with 1 ≤ p ≤ 38 and s ≤ p.',
    );
  },
};

/** Primitive types of Iceberg that a column can be declared as. */
const COLUMN_TYPES = [
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'timestamp_ns',
  'timestamptz_ns',
  'string',
  'uuid',
  'binary',
];

/** A declared column type of JSON without schema. */
export const columnType: CustomType = {
  kind: 'custom',
  form: `${COLUMN_TYPES.join(', ')} or decimal(p, s)`,
  schema: { anyOf: [{ enum: COLUMN_TYPES }, (numbersType.schema['anyOf'] as readonly unknown[])[1]] },
  read(raw) {
    if (COLUMN_TYPES.includes(raw as string)) return raw;
    const decimal = raw === 'auto' ? raw : numbersType.read(raw);
    return typeof decimal === 'string' && decimal.startsWith('decimal')
      ? decimal
      : new Reason(`${show(raw)} is no column type`, `Write ${COLUMN_TYPES.join(', ')} or decimal(p, s) with p ≤ 38.`);
  },
};

/** A JavaScript regular expression, searched in the topic's name as written: anchor it with ^ and $. */
export const patternType: CustomType = {
  kind: 'custom',
  form: 'a regular expression',
  schema: { type: 'string', format: 'regex', minLength: 1 },
  read(raw) {
    if (typeof raw !== 'string' || raw === '')
      return new Reason(`${show(raw)} is no regular expression`, "Write it in single quotes, as '^shop\\.(.+)$'.");
    try {
      return new RegExp(raw, 'u');
    } catch (error) {
      return new Reason(
        `${show(raw)} is no regular expression: ${(error as Error).message}`,
        "Write it in single quotes, as '^shop\\.(.+)$'.",
      );
    }
  },
};

export const duration = (min: number, max: number): OptionType => ({ kind: 'duration', min, max });
export const size = (min: number, max: number): OptionType => ({ kind: 'size', min, max });
export const oneOf = (...values: readonly string[]): OptionType => ({ kind: 'enum', values });
export const text: OptionType = { kind: 'string' };
export const url: OptionType = {
  kind: 'string',
  pattern: /^https?:\/\/.+/,
  form: 'a URL that begins with http:// or https://',
};

/** A value for a message: short, on one line, quoted when it is a string. */
export function show(value: unknown): string {
  const shown = JSON.stringify(value) ?? 'nothing';
  return shown.length > 60 ? `${shown.slice(0, 57)}…` : shown;
}
