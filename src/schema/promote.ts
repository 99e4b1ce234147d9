import { decimalOf } from './types.ts';
import type { PrimitiveType } from './types.ts';

/**
 * The type that holds the values of both a column and its writer by Iceberg's promotions (spec, "Schema Evolution"):
 * int to long, float to double, decimal to more digits of the same scale. Null: no such type, and invariant 7: never a cast.
 *
 * Breaks: test/schema/evolve.test.ts, "is incompatible".
 */
export function commonType(table: PrimitiveType, writer: PrimitiveType): PrimitiveType | null {
  if (table === writer) return table;
  const pair = `${table} ${writer}`;
  if (pair === 'int long' || pair === 'long int') return 'long';
  if (pair === 'float double' || pair === 'double float') return 'double';
  const [a, b] = [decimalOf(table), decimalOf(writer)];
  if (a && b && a.scale === b.scale) return a.precision >= b.precision ? table : `decimal(${b.precision}, ${b.scale})`;
  // Catalogs write `fixed[16]` and `fixed[ 16 ]` alike.
  return table.replaceAll(' ', '') === writer.replaceAll(' ', '') ? table : null;
}
