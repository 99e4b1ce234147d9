import { objectOf } from './json-object.ts';

/** How many dead letters of one range of one checkpoint a replay made rows of. */
export interface Replayed {
  /** The checkpoint in which they were decided dead. */
  readonly checkpointId: string;
  readonly topic: string;
  readonly partition: number;
  /** The checkpoint's range [start, end), as it was accounted for. */
  readonly start: number;
  readonly end: number;
  readonly rows: number;
}

/** Summary key: the dead letters that became rows in this snapshot, by range; they are in no range of `tabletopic.accounted`. */
export const REPLAYED = 'tabletopic.replayed';

/** schemas/replayed.schema.json. */
export function encodeReplayed(ranges: readonly Replayed[]): string {
  return JSON.stringify({
    v: 1,
    ranges: ranges.map(({ checkpointId, topic, partition, start, end, rows }) => [
      checkpointId,
      topic,
      partition,
      start,
      end,
      rows,
    ]),
  });
}

/** Throws `SyntaxError` where the text is no such list. */
export function decodeReplayed(text: string): Replayed[] {
  const json = objectOf(JSON.parse(text), 'replayed');
  if (json['v'] !== 1) throw new SyntaxError(`version ${String(json['v'])} of replayed is not known`);
  if (!Array.isArray(json['ranges'])) throw new SyntaxError('ranges are no list');
  return json['ranges'].map((range: unknown) => {
    if (!Array.isArray(range) || range.length !== 6) throw new SyntaxError('a range is not of six parts');
    const [checkpointId, topic, ...numbers] = range as unknown[];
    const [partition, start, end, rows] = numbers as number[];
    const counts = numbers.every((number) => Number.isSafeInteger(number) && (number as number) >= 0);
    if (typeof checkpointId !== 'string' || typeof topic !== 'string' || !counts || rows! > end! - start!)
      throw new SyntaxError('a range is not [checkpoint, topic, partition, start, end, rows]');
    return { checkpointId, topic, partition: partition!, start: start!, end: end!, rows: rows! };
  });
}
