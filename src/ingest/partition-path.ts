import type { PartitionValue } from '../columns/partition-value.ts';
import { defaultSpec } from '../iceberg/metadata.ts';
import type { TableMetadata } from '../iceberg/metadata.ts';

/**
 * Folder of a data file below the table's data location, for people who look: `name=value` a field, as Hive and Java's
 * `PartitionSpec.partitionToPath` have it. Readers never parse it.
 */
export function partitionPath(metadata: TableMetadata, tuple: ReadonlyMap<number, PartitionValue>): string {
  return defaultSpec(metadata)
    .fields.filter((field) => field.transform !== 'void')
    .map(
      (field) =>
        `${encodeURIComponent(field.name)}=${encodeURIComponent(valueText(field.transform, tuple.get(field['field-id']) ?? null))}`,
    )
    .join('/');
}

function valueText(transform: string, value: PartitionValue): string {
  if (value === null) return 'null';
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64url');
  const number = Number(value);
  switch (transform) {
    case 'year':
      return String(1970 + number);
    case 'month':
      return isoUtc(Date.UTC(1970, number)).slice(0, 7);
    case 'day':
      return isoUtc(number * 86_400_000).slice(0, 10);
    case 'hour':
      return isoUtc(number * 3_600_000)
        .slice(0, 13)
        .replace('T', '-');
    default:
      return String(value);
  }
}

function isoUtc(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString();
}
