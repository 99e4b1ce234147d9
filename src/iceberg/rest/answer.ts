import { parseJson } from '../json.ts';

/**
 * The answer of a catalog that loads or commits a table, with only those of the metadata's snapshots that refs name: what
 * `?snapshots=refs` gives. The answer to a commit always holds all of them (answer-head.ts), and catalogs that do not know the parameter
 * send all too; read whole, the past of a table would cost more with each commit.
 *
 * The bytes are walked over once to find where each snapshot lies; only what is wanted becomes text. Measured on 22 MB
 * (2,000 snapshots that state the offsets of 1,000 partitions; Node 24), ms of CPU: this 9, all of it by `parseJson` 58.
 *
 * @throws SyntaxError where the text is no JSON.
 */
export function parseWithRefs(bytes: Uint8Array): unknown {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const begin = findSnapshots(buffer);
  const list = begin < 0 ? null : spanOf(buffer, begin);
  if (list === null) return parseJson(buffer.toString('utf8'));
  const rest = parseJson(`${buffer.toString('utf8', 0, list.from)}[]${buffer.toString('utf8', list.to)}`) as {
    metadata: {
      snapshots: unknown[];
      refs?: Record<string, { 'snapshot-id'?: bigint }>;
      'current-snapshot-id'?: bigint | null;
    };
  };
  const { metadata } = rest;
  const wanted = new Set(Object.values(metadata.refs ?? {}).map((ref) => ref['snapshot-id']));
  // Of a table without snapshots it is -1 in format v2, null or nothing in v3.
  wanted.add(metadata['current-snapshot-id'] ?? undefined);
  for (const id of wanted) {
    const snapshot = id === undefined ? undefined : snapshotOf(buffer, list, id);
    if (snapshot !== undefined) metadata.snapshots.push(snapshot);
  }
  return rest;
}

/** Where the list of snapshots lies, and where each of them begins and ends. */
interface Span {
  readonly from: number;
  readonly to: number;
  readonly items: readonly (readonly [from: number, to: number])[];
}

function snapshotOf(buffer: Buffer, { from, to, items }: Span, id: bigint): unknown {
  const digits = id.toString();
  let item = items.length - 1;
  // The newest come last, and a head is mostly the last of all; the id may also be that of a parent.
  for (let at = buffer.lastIndexOf(digits, to); at >= from; at = buffer.lastIndexOf(digits, at - 1)) {
    while (item >= 0 && items[item]![0] > at) item--;
    if (item < 0) return undefined;
    const snapshot = parseJson(buffer.toString('utf8', ...items[item]!)) as { 'snapshot-id'?: unknown } | null;
    if (snapshot?.['snapshot-id'] === id) return snapshot;
    at = items[item]![0];
  }
  return undefined;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Where the list under `metadata.snapshots` begins; -1 where there is none, or the text is none that this reads. */
export function findSnapshots(buffer: Buffer): number {
  const { length } = buffer;
  let depth = 0;
  let at = 0;
  /** Depth 2 lies within `metadata`, the value of a key of the outermost object. */
  let inMetadata = false;
  let key = '';
  while (at < length) {
    const byte = buffer[at]!;
    if (byte === QUOTE) {
      const end = endOfString(buffer, at);
      if (end < 0) return -1;
      if (depth === 1 || (depth === 2 && inMetadata))
        key = end - at <= 16 ? buffer.toString('latin1', at + 1, end - 1) : '';
      at = end;
      continue;
    }
    if (byte === OPEN_OBJECT) {
      if (depth === 1) inMetadata = key === 'metadata';
      depth++;
    } else if (byte === OPEN_LIST) {
      if (depth === 2 && inMetadata && key === 'snapshots') return at;
      depth++;
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) depth--;
    else if (byte === COMMA && depth <= 2) key = '';
    at++;
  }
  return -1;
}

/** Objects of the list that begins at `from`. */
function spanOf(buffer: Buffer, from: number): Span | null {
  const { length } = buffer;
  const items: [number, number][] = [];
  let depth = 1;
  let begin = 0;
  for (let at = from + 1; at < length;) {
    const byte = buffer[at]!;
    if (byte === QUOTE) {
      at = endOfString(buffer, at);
      if (at < 0) return null;
      continue;
    }
    at++;
    if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
      if (depth++ === 1) begin = at - 1;
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
      depth--;
      if (depth === 1) items.push([begin, at]);
      else if (depth === 0) return { from, to: at, items };
    }
  }
  return null;
}

/** Strings up to this length are walked by byte; for longer ones a native search is quicker. */
const SHORT = 48;

/** One past the closing quote of the string that opens at `at`, or -1. */
function endOfString(buffer: Buffer, at: number): number {
  const short = Math.min(at + SHORT, buffer.length);
  let position = at + 1;
  for (; position < short; position++) {
    const byte = buffer[position]!;
    if (byte === QUOTE) return position + 1;
    if (byte === BACKSLASH) position++;
  }
  for (;;) {
    const quote = buffer.indexOf(QUOTE, position);
    if (quote < 0) return -1;
    let slashes = 0;
    while (quote - slashes > at + 1 && buffer[quote - slashes - 1] === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return quote + 1;
    position = quote + 1;
  }
}
