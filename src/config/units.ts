/** Durations and sizes as written in the configuration: a number with a unit, no spaces needed. */

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const sizeUnits: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** Milliseconds of `500ms`, `60s`, `10m`, `1h`, `7d`; null when the text is none of these. */
export function parseDuration(text: string): number | null {
  return parse(text, durationUnits);
}

/** Bytes of `64KiB`, `128MiB`, `1GiB` (powers of 1024), `10MB` (powers of 1000), `512B`; null when it is none of these. */
export function parseSize(text: string): number | null {
  return parse(text, sizeUnits);
}

function parse(text: string, units: Readonly<Record<string, number>>): number | null {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*$/.exec(text);
  if (!match || !Object.hasOwn(units, match[2]!)) return null;
  return Math.round(Number(match[1]) * units[match[2]!]!);
}

/** The shortest exact writing: `90s`, `128MiB`. */
export function formatDuration(ms: number): string {
  return format(ms, [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
    ['ms', 1],
  ]);
}

export function formatSize(bytes: number): string {
  return format(bytes, [
    ['GiB', 1024 ** 3],
    ['MiB', 1024 ** 2],
    ['KiB', 1024],
    ['B', 1],
  ]);
}

function format(value: number, units: readonly (readonly [string, number])[]): string {
  const [name, size] = units.find(([, size]) => value !== 0 && value % size === 0) ?? units.at(-1)!;
  return `${value / size}${name}`;
}
