import { decimalOf } from '../../src/schema/types.ts';
import type { IcebergType } from '../../src/schema/types.ts';

/**
 * A value as tests of decoders have it (64-bit values and decimals BigInts, bytes hex, maps lists of pairs), as
 * test/readers/canonical.py writes what PyIceberg reads with `raw`: dates and times are numbers.
 */
export function cellOf(type: IcebergType, value: unknown): unknown {
  if (typeof type !== 'string') {
    // PyIceberg reads a list or map of structs that is null as an empty one (its ArrowProjectionVisitor).
    if (type.type === 'list') {
      const items = value ?? (isStruct(type.element) ? [] : null);
      return items && (items as unknown[]).map((item) => cellOf(type.element, item));
    }
    if (type.type === 'map') {
      const entries = value ?? (isStruct(type.value) ? [] : null);
      if (entries === null) return null;
      const cells = (entries as [unknown, unknown][]).map(([k, v]) => [cellOf(type.key, k), cellOf(type.value, v)]);
      return { map: sortedEntries(cells) };
    }
    if (value === null || value === undefined) return null;
    const members = value as Readonly<Record<string, unknown>>;
    return Object.fromEntries(type.fields.map((field) => [field.name, cellOf(field.type, members[field.name])]));
  }
  if (value === null || value === undefined) return null;
  const decimal = decimalOf(type);
  if (decimal) return `d${decimalText(value as bigint, decimal.scale)}`;
  switch (type) {
    case 'boolean':
      return value;
    case 'float':
    case 'double':
      return floatText(value as number);
    case 'string':
      return `s${value as string}`;
    case 'uuid':
      return `s${(value as string).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')}`;
    case 'int':
    case 'long':
    case 'date':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return `i${value as number | bigint}`;
    default:
      return `b${value as string}`;
  }
}

/** Entries of maps in one order, whoever wrote them. */
export function sorted(cell: unknown): unknown {
  if (Array.isArray(cell)) return cell.map(sorted);
  if (typeof cell !== 'object' || cell === null) return cell;
  const { map } = cell as { map?: unknown };
  if (Array.isArray(map) && Object.keys(cell).length === 1)
    return { map: sortedEntries((map as unknown[][]).map((entry) => entry.map(sorted))) };
  return Object.fromEntries(Object.entries(cell).map(([name, inner]) => [name, sorted(inner)]));
}

function sortedEntries(entries: readonly unknown[][]): unknown[][] {
  return entries.toSorted((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1));
}

function isStruct(type: IcebergType): boolean {
  return typeof type !== 'string' && type.type === 'struct';
}

function decimalText(unscaled: bigint, scale: number): string {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
  const point = digits.length - scale;
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, point)}${scale > 0 ? `.${digits.slice(point)}` : ''}`;
}

/** As Python's `float.hex`. */
function floatText(value: number): string {
  if (Number.isNaN(value)) return 'fnan';
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const sign = bits >> 63n ? '-' : '';
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const mantissa = (bits & ((1n << 52n) - 1n)).toString(16).padStart(13, '0');
  if (exponent === 0x7ff) return `f${sign}inf`;
  if (exponent === 0) return value === 0 ? `f${sign}0x0.0p+0` : `f${sign}0x0.${mantissa}p-1022`;
  const power = exponent - 1023;
  return `f${sign}0x1.${mantissa}p${power < 0 ? '' : '+'}${power}`;
}
