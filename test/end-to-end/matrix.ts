/** One type of a format: how a column of it is declared, a value as the encoder takes it, and the cell that engines read of it. */
export interface MatrixType {
  readonly name: string;
  /** The column's type as it is named in `<column>_<type>` (`onIncompatible: new-column`). */
  readonly column: string;
  /** Names of types are made of the column and, where versions may not share them, the side. */
  schema(column: string, side: 'from' | 'to'): unknown;
  readonly value: unknown;
  /** As test/readers/canonical.py writes it. */
  readonly cell: unknown;
}

/** What a format brings to the matrix: types, which of them a column can take on or keep, and an encoder. */
export interface MatrixFormat {
  readonly format: string;
  readonly types: readonly MatrixType[];
  /** Pairs (either order) whose values one column holds, by the table of promotions in the README. */
  readonly promotions: readonly (readonly [string, string])[];
  /** The cell of a value of type `from` in the column that both share, where it is not the same. */
  shared?(from: string, to: string, cell: unknown): unknown;
  schema(columns: readonly { readonly name: string; readonly type: unknown }[]): Declared;
  /** What comes after the schema id. */
  encode(schema: Declared, values: Readonly<Record<string, unknown>>): Buffer;
  register(url: string, subject: string, schema: Declared): Promise<number>;
}

/** A schema as its registry takes it: JSON, or text of a format that has a syntax of its own. */
export type Declared = object | string;

export const plain = (name: string, column: string, schema: unknown, value: unknown, cell: unknown): MatrixType => ({
  name,
  column,
  schema: () => schema,
  value,
  cell,
});

/** Every pair of types within a group. */
export function within(...groups: readonly (readonly string[])[]): (readonly [string, string])[] {
  return groups.flatMap((group) => group.flatMap((a, i) => group.slice(i + 1).map((b) => [a, b] as const)));
}

/** One column of the matrix: declared as `from` in the first version, as `to` in the second. */
export interface Pair {
  readonly column: string;
  readonly from: MatrixType;
  readonly to: MatrixType;
  readonly promotable: boolean;
}

/** All pairs of types, or those that a column can follow and of each type a few that it cannot. */
export function pairsOf({ types, promotions }: MatrixFormat, all: boolean): Pair[] {
  const promotable = (a: string, b: string): boolean =>
    a === b || promotions.some(([x, y]) => (a === x && b === y) || (a === y && b === x));
  return types.flatMap((from, i) =>
    types.flatMap((to, j): Pair[] => {
      const pair = { column: `c_${from.name}_${to.name}`, from, to, promotable: promotable(from.name, to.name) };
      return all || pair.promotable || (i + 1) % types.length === j || (j * 7 + 3) % types.length === i ? [pair] : [];
    }),
  );
}
