import { packNumbers, unpackNumbers } from './packed.ts';
import { objectOf } from './json-object.ts';
import type { OffsetRange } from './commit.ts';

/**
 * `tabletopic.accounted`: for each range of a snapshot where it starts and ends and what became of its offsets
 * (schemas/accounted.schema.json). One row a range, by columns, so that long ones pack well.
 *
 * Invariant 7: rows + deadLetters + aborted + control + absent + elsewhere = end − start, for every range. `elsewhere`
 * (routed to another table of the topic) is written for topics that have any.
 *
 * Breaks: test/commit/formats.test.ts, "is refused where the counts do not add up".
 */
const columns = ['partition', 'start', 'end', 'rows', 'deadLetters', 'aborted', 'control', 'absent'] as const;
type Column = (typeof columns)[number];
const ELSEWHERE = 'elsewhere';

export type AccountedRange = Pick<OffsetRange, 'topic' | 'partition' | 'start' | 'end' | 'accounted'>;

export function encodeAccounted(ranges: readonly AccountedRange[]): string {
  const byTopic = Map.groupBy(ranges, (range) => range.topic);
  const topics = Object.fromEntries(
    [...byTopic.keys()].sort().map((name) => {
      const own = byTopic.get(name)!;
      const elsewhere = own.map(({ accounted }) => accounted.elsewhere ?? 0);
      return [
        name,
        {
          ...Object.fromEntries(
            columns.map((column) => [column, packNumbers(own.map((range) => cell(range, column)))]),
          ),
          ...(elsewhere.some((count) => count > 0) ? { [ELSEWHERE]: packNumbers(elsewhere) } : {}),
        },
      ];
    }),
  );
  return JSON.stringify({ v: 1, topics });
}

/** Throws `SyntaxError` where the text is no such list or its sums do not agree. */
export function decodeAccounted(text: string): AccountedRange[] {
  const json = objectOf(JSON.parse(text), 'accounted');
  if (json['v'] !== 1) throw new SyntaxError(`version ${String(json['v'])} of accounted is not known`);
  const ranges: AccountedRange[] = [];
  for (const [topic, value] of Object.entries(objectOf(json['topics'], 'topics'))) {
    const lists = objectOf(value, topic);
    const read = Object.fromEntries(columns.map((column) => [column, unpackNumbers(lists[column])])) as Record<
      Column,
      readonly number[]
    >;
    const rows = read.partition.length;
    const elsewhere = lists[ELSEWHERE] === undefined ? null : unpackNumbers(lists[ELSEWHERE]);
    if (columns.some((column) => read[column].length !== rows) || (elsewhere && elsewhere.length !== rows))
      throw new SyntaxError(`the lists of topic ${topic} differ in length`);
    for (let i = 0; i < rows; i++) {
      const range: AccountedRange = {
        topic,
        partition: read.partition[i]!,
        start: read.start[i]!,
        end: read.end[i]!,
        accounted: {
          rows: read.rows[i]!,
          deadLetters: read.deadLetters[i]!,
          aborted: read.aborted[i]!,
          control: read.control[i]!,
          absent: read.absent[i]!,
          ...(elsewhere?.[i] ? { elsewhere: elsewhere[i] } : {}),
        },
      };
      if (!addsUp(range))
        throw new SyntaxError(`range ${range.start}–${range.end} of ${topic}-${range.partition} does not add up`);
      ranges.push(range);
    }
  }
  return ranges;
}

export function addsUp({ start, end, accounted }: AccountedRange): boolean {
  const { rows, deadLetters, aborted, control, absent, elsewhere = 0 } = accounted;
  const counts = [rows, deadLetters, aborted, control, absent, elsewhere];
  return counts.every((count) => count >= 0) && counts.reduce((sum, count) => sum + count) === end - start;
}

function cell(range: AccountedRange, column: Column): number {
  return column === 'partition' || column === 'start' || column === 'end' ? range[column] : range.accounted[column];
}
