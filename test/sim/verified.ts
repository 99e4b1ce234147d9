import type { Catalog } from '../../src/iceberg/catalog.ts';
import { readPositions } from '../../src/maintain/positions.ts';
import { verifyTable } from '../../src/maintain/verify.ts';
import type { MemoryFileIO } from '../../src/io/memory.ts';
import type { Checker } from './checker.ts';

/** What `tabletopic verify` finds in a table in which the checker has found nothing: either of them is wrong then. */
export async function verified(checker: Checker, catalog: Catalog, io: MemoryFileIO): Promise<string[]> {
  const { namespace, name, branch } = checker.table;
  if (!checker.metadata?.refs?.[branch]) return [];
  const target = { catalog, ident: { namespace, name }, branch };
  const problems: string[] = [];
  for (const positions of [null, readPositions]) {
    const {
      level,
      rows,
      duplicates,
      missing,
      problems: disagreements,
    } = await verifyTable(target, () => io, positions);
    const found = [
      ...[...duplicates, ...missing].map(
        ({ topic, partition, from, to, reason }) => `${topic}/${partition} ${from}–${to}: ${reason}`,
      ),
      ...disagreements,
    ];
    problems.push(...found.map((text) => `10: verify (${level}) of ${checker.name}: ${text}`));
    const there = await checker.rows();
    if (level === 'deep' && rows !== there)
      problems.push(`10: verify (${level}) of ${checker.name} counts ${rows} rows, ${there} are there`);
  }
  return problems;
}
