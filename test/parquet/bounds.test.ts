import fc from 'fast-check';
import { expect, test } from 'vitest';
import { boundsFor } from '../../src/parquet/bounds.ts';
import { fileSchema } from '../../src/parquet/schema-elements.ts';
import { batchOf } from '../columns/rows.ts';
import { schemaOf } from './files.ts';

const schema = schemaOf({ id: 1, name: 's', type: 'binary', required: true });
const leaf = fileSchema(schema).leaves[0]!;
/** Values that share beginnings of all lengths, and often lie between one another. */
const values = fc.array(
  fc
    .tuple(
      fc.constantFrom('', 'a', 'abc', 'abcd', 'abcde', 'abcdefghi'),
      fc.string({ unit: fc.constantFrom('\0', 'a', 'b', '\u00ff') }),
    )
    .map(([start, end]) => Buffer.from(start + end, 'latin1')),
  { minLength: 1, maxLength: 60 },
);

test('bounds of byte strings are the smallest and the largest of them, in whatever order and slices they come', () => {
  fc.assert(
    fc.property(values, fc.nat(), (strings, cut) => {
      const vector = batchOf(
        schema,
        strings.map((s) => ({ s: new Uint8Array(s) })),
      ).columns[0]!;
      const bounds = boundsFor(leaf, true);
      const middle = cut % (strings.length + 1);
      bounds.add(vector, null, 0, middle);
      bounds.add(vector, null, middle, strings.length);
      const { min, max } = bounds.take();
      const sorted = strings.toSorted((a, b) => Buffer.compare(a, b));
      expect(Buffer.from(min!.bytes)).toEqual(sorted[0]);
      expect(Buffer.from(max!.bytes)).toEqual(sorted.at(-1));
      expect([min!.exact, max!.exact]).toEqual([true, true]);
    }),
    { numRuns: 2000 },
  );
});
