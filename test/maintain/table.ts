import { encodeAccounted } from '../../src/commit/accounted.ts';
import type { Accounted } from '../../src/commit/commit.ts';
import { noDeadLetters } from '../../src/commit/dead-letter-list.ts';
import { encodeStatement } from '../../src/commit/statement.ts';
import type { LoadedTable } from '../../src/iceberg/catalog.ts';
import type { Snapshot, TableMetadata } from '../../src/iceberg/metadata.ts';

/** One range of a snapshot: [partition, start, end], with what was not a row. */
export type Range = readonly [partition: number, start: number, end: number, others?: Partial<Omit<Accounted, 'rows'>>];

export interface SnapshotSpec {
  readonly ranges?: readonly Range[];
  /** The offsets stated; left out: where the ranges end. */
  readonly next?: readonly number[];
  /** Changes of the summary, last. */
  readonly summary?: Readonly<Record<string, string>>;
  /** Another writer's snapshot, with this summary alone. */
  readonly foreign?: Readonly<Record<string, string>>;
}

/** The history of a table fed from topic `t` with two partitions, as the committer would write it. */
export function tableOf(
  specs: readonly SnapshotSpec[],
  options: { first?: readonly number[]; expired?: number } = {},
): LoadedTable {
  const first = options.first ?? [0, 0];
  let next = [...first];
  let total = 0;
  let deadLetters = 0;
  let previous: string | null = null;
  const snapshots = specs.map(({ ranges = [], next: stated, summary, foreign }, i): Snapshot => {
    const id = BigInt(i + 1);
    const ids = {
      'snapshot-id': id,
      ...(i === 0 ? {} : { 'parent-snapshot-id': id - 1n }),
      'sequence-number': i + 1,
      'timestamp-ms': 1_800_000_000_000 + i * 1000,
    };
    if (foreign) {
      total += Number(foreign['added-records'] ?? 0) - Number(foreign['deleted-records'] ?? 0);
      return { ...ids, summary: { ...foreign, 'total-records': String(total) } };
    }
    const accounted = ranges.map(([partition, start, end, others = {}]) => {
      const rest = { deadLetters: 0, aborted: 0, control: 0, absent: 0, ...others };
      return {
        topic: 't',
        partition,
        start,
        end,
        accounted: { rows: end - start - rest.deadLetters - rest.aborted - rest.control - rest.absent, ...rest },
      };
    });
    const rows = accounted.reduce((sum, range) => sum + range.accounted.rows, 0);
    for (const [partition, , end] of ranges) next[partition] = end;
    if (stated) next = [...stated];
    total += rows;
    deadLetters += accounted.reduce((sum, range) => sum + range.accounted.deadLetters, 0);
    const statement = (about?: bigint): string =>
      encodeStatement(
        {
          offsets: { t: { id: 'topic', cluster: 'cluster', first, next, epoch: next.map(() => 0), gaps: [] } },
          deadLetters:
            deadLetters === 0
              ? noDeadLetters
              : { inline: [{ checkpointId: 'c', file: 'file:/d', count: deadLetters, ranges: [] }], older: null },
        },
        about,
      );
    const written = {
      operation: 'append',
      'tabletopic.offsets': statement(),
      ...(previous === null ? {} : { 'tabletopic.offsets.prev': previous }),
      ...(accounted.length === 0 ? {} : { 'tabletopic.accounted': encodeAccounted(accounted) }),
      'added-records': String(rows),
      'total-records': String(total),
      ...summary,
    };
    previous = statement(id);
    return { ...ids, summary: written };
  });
  const head = snapshots.at(-1)?.['snapshot-id'] ?? null;
  const metadata = {
    schemas: [{ type: 'struct', 'schema-id': 0, fields: [{ id: 1, name: 'amount', required: false, type: 'long' }] }],
    'current-schema-id': 0,
    'partition-specs': [{ 'spec-id': 0, fields: [] }],
    'default-spec-id': 0,
    properties: {},
    'format-version': 2,
    'table-uuid': 'u',
    location: 'file:/t',
    'last-sequence-number': snapshots.length,
    'current-snapshot-id': head,
    snapshots: snapshots.slice(options.expired ?? 0),
    refs: head === null ? {} : { main: { 'snapshot-id': head, type: 'branch' } },
  } as unknown as TableMetadata;
  return {
    ident: { namespace: ['shop'], name: 'orders' },
    metadataLocation: 'file:/t/metadata/1.json',
    metadata,
    partial: false,
    config: {},
  };
}
