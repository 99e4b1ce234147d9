/** What one unit of an integer column is, where its type cannot say so. */
export type DurationUnit = 'microseconds' | 'nanoseconds';

const UNIT = /(?:^|"\. )Unit: (microseconds|nanoseconds)\./;

/**
 * The doc of a column of durations: both units are longs, so that readers, and a service whose `nanos` was changed since,
 * know them apart only by it.
 */
export function withUnit(unit: DurationUnit, doc: string | undefined): string {
  return `Unit: ${unit}.${doc ? ` ${doc}` : ''}`;
}

/** The unit that a column's doc states; null: none. */
export function unitOf(doc: string | undefined): DurationUnit | null {
  return (UNIT.exec(doc ?? '')?.[1] ?? null) as DurationUnit | null;
}

/** Whether values in one unit would come into a column of the other. */
export function isOtherUnit(column: string | undefined, writer: string | undefined): boolean {
  const [has, comes] = [unitOf(column), unitOf(writer)];
  return has !== null && comes !== null && has !== comes;
}
