import { openParquet } from './reader.ts';
import type { LeafRequest, LeafValues, RangeReader } from './reader.ts';

/** Where a row comes from. */
export interface RowPosition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

const FIELDS = ['topic', 'partition', 'offset'] as const;

/**
 * The positions of all rows of a data file in the order of its rows, one array a row group; null for a row without one
 * (another writer's). Reads the metadata columns alone, whether a struct `_kafka` or flat; `fieldIds` are those of topic,
 * partition and offset, for files in which a column has another name than the table's.
 */
export async function* readPositions(
  read: RangeReader,
  size: number,
  fieldIds?: readonly [topic: number, partition: number, offset: number],
): AsyncGenerator<(RowPosition | null)[]> {
  const file = await openParquet(read, size);
  const names = new Set(file.metadata.schema.slice(1).map((element) => element.name));
  const requests = FIELDS.map((field, i): LeafRequest => {
    const path = names.has('_kafka') ? ['_kafka', field] : [`_kafka_${field}`];
    return { fieldId: fieldIds?.[i] ?? file.fieldIdOf(path), path };
  });
  for await (const { rows, columns } of file.columns(requests)) {
    const [topics, partitions, offsets] = columns as [LeafValues, LeafValues, LeafValues];
    yield Array.from({ length: rows }, (_, i) => {
      const topic = topics?.[i];
      const partition = partitions?.[i];
      const offset = offsets?.[i];
      if (
        typeof topic !== 'string' ||
        typeof partition !== 'number' ||
        typeof offset !== 'number' ||
        Number.isNaN(partition) ||
        Number.isNaN(offset)
      )
        return null;
      return { topic, partition, offset };
    });
  }
}
