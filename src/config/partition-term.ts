/** A term of `partitionBy`, parsed: Iceberg transform and the column's dotted path. */
export interface PartitionTerm {
  /** `identity`, `bucket[16]`, `truncate[8]`, `year`, `month`, `day`, `hour`, `void` (Iceberg spec, Partition Transforms). */
  readonly transform: string;
  readonly column: string;
}

export const partitionTermForm = 'column, year(c), month(c), day(c), hour(c), bucket(n, c), truncate(n, c) or void(c)';

/** `day(paid_at)`, `bucket(16, customer_id)`, `region`; null when the text is no such term. */
export function parsePartitionTerm(text: string): PartitionTerm | null {
  const call = /^\s*([a-z]+)\s*\(\s*(.*?)\s*\)\s*$/.exec(text);
  if (!call) return isColumn(text.trim()) ? { transform: 'identity', column: text.trim() } : null;
  const name = call[1]!;
  const body = call[2]!;
  if (name === 'bucket' || name === 'truncate') {
    const args = /^(\d+)\s*,\s*(.+)$/.exec(body);
    const width = args ? Number(args[1]) : 0;
    if (!args || width < 1 || width > 2 ** 31 - 1 || !isColumn(args[2]!)) return null;
    return { transform: `${name}[${width}]`, column: args[2]! };
  }
  const plain = ['identity', 'year', 'month', 'day', 'hour', 'void'].includes(name);
  return plain && isColumn(body) ? { transform: name, column: body } : null;
}

function isColumn(text: string): boolean {
  return /^[^\s(),]+$/.test(text);
}
