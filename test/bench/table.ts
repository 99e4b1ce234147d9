import type { CatalogAddress } from '../real/catalog.ts';

/** What the metadata of tables says of their history. */
export interface TableFigures {
  /** All snapshots, by the writer's own clock, oldest first, each with the rows of all tables from then on. */
  readonly commits: readonly { readonly atMs: number; readonly rows: number }[];
  readonly rows: number;
  readonly files: number;
  readonly bytes: number;
}

interface Snapshot {
  readonly 'timestamp-ms': number;
  readonly summary: Readonly<Record<string, string>>;
}

/** As the catalog answers. */
interface Known extends Snapshot {
  readonly 'sequence-number': number;
}

/** Asks the catalog by plain HTTP; a table that is not there is empty. `tables`: namespace and name with a dot between. */
export async function tableFigures(catalog: CatalogAddress, tables: readonly string[]): Promise<TableFigures> {
  const histories = await Promise.all(tables.map((table) => snapshotsOf(catalog, table)));
  return together(histories);
}

/** The histories of several tables as one. */
export function together(histories: readonly (readonly Snapshot[])[]): TableFigures {
  const steps = histories.flatMap((snapshots) =>
    snapshots.map((one, i) => ({
      atMs: one['timestamp-ms'],
      more: total(one, 'records') - total(snapshots[i - 1], 'records'),
    })),
  );
  let rows = 0;
  const commits = steps.sort((a, b) => a.atMs - b.atMs).map(({ atMs, more }) => ({ atMs, rows: (rows += more) }));
  const sum = (what: string): number => histories.reduce((all, snapshots) => all + total(snapshots.at(-1), what), 0);
  return { commits, rows, files: sum('data-files'), bytes: sum('files-size') };
}

function total(snapshot: Snapshot | undefined, what: string): number {
  return Number(snapshot?.summary[`total-${what}`] ?? 0);
}

/** The next offset of each partition that the table states, null where it states none. */
export async function committedOffsets(
  catalog: CatalogAddress,
  table: string,
  topic: string,
): Promise<readonly number[] | null> {
  const offsets = (await snapshotsOf(catalog, table, '?snapshots=refs')).at(-1)?.summary['tabletopic.offsets'];
  if (offsets === undefined) return null;
  const { topics } = JSON.parse(offsets) as { topics: Record<string, { next: number[] }> };
  return topics[topic]?.next ?? null;
}

/** The newest snapshot of a table's main branch. */
export async function headOf(catalog: CatalogAddress, table: string): Promise<Known> {
  const head = (await snapshotsOf(catalog, table, '?snapshots=refs')).at(-1);
  if (head === undefined) throw new Error(`${table} has no snapshot`);
  return head;
}

async function snapshotsOf(catalog: CatalogAddress, table: string, query = ''): Promise<readonly Known[]> {
  const [namespace, name] = table.split('.');
  const ask = (): Promise<Response> => fetch(`${catalog.uri}/v1/namespaces/${namespace}/tables/${name}${query}`);
  // Once more: the catalog may close a connection just as it is used again.
  const answer = await ask().catch(ask);
  if (answer.status === 404) return [];
  if (!answer.ok) throw new Error(`catalog: ${answer.status} ${await answer.text()}`);
  const { metadata } = (await answer.json()) as {
    metadata: { readonly snapshots?: readonly Known[] };
  };
  return metadata.snapshots ?? [];
}
