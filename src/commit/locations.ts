import type { TableMetadata } from '../iceberg/metadata.ts';

/** A new file in the table's metadata folder (`write.metadata.path`, else `<location>/metadata`). */
export function metadataLocation(metadata: TableMetadata, name: string): string {
  const folder = metadata.properties?.['write.metadata.path'] ?? `${withoutSlash(metadata.location)}/metadata`;
  return `${withoutSlash(folder)}/${name}`;
}

/** A new data file (`write.data.path`, else `<location>/data`). */
export function dataLocation(metadata: TableMetadata, name: string): string {
  const folder = metadata.properties?.['write.data.path'] ?? `${withoutSlash(metadata.location)}/data`;
  return `${withoutSlash(folder)}/${name}`;
}

/**
 * Dead-letter source files and list files. No snapshot names them, so an orphan removal by another engine would take
 * them for orphans: they stand below a folder whose name begins with `_`, which Iceberg's own removal passes over
 * (`HiddenPathFilter`).
 */
export function deadLetterLocation(metadata: TableMetadata, name: string): string {
  return `${withoutSlash(metadata.location)}/_tabletopic/dead-letters/${name}`;
}

function withoutSlash(location: string): string {
  return location.replace(/\/+$/, '');
}
