import type { TableMetadata } from './metadata.ts';

const PREVIOUS_VERSIONS = 100;

/**
 * The metadata with its predecessor's file in the metadata log, cut to `write.metadata.previous-versions-max`; and the
 * files that fell out, to be deleted after the commit where `write.metadata.delete-after-commit.enabled` is set.
 */
export function logPrevious(
  metadata: TableMetadata,
  previous: TableMetadata,
  previousLocation: string,
): { metadata: TableMetadata; expired: string[] } {
  const properties = metadata.properties ?? {};
  const most = Math.max(
    1,
    Number.parseInt(properties['write.metadata.previous-versions-max'] ?? '', 10) || PREVIOUS_VERSIONS,
  );
  const log = [
    ...(previous['metadata-log'] ?? []),
    { 'metadata-file': previousLocation, 'timestamp-ms': previous['last-updated-ms'] },
  ];
  const kept = log.slice(-most);
  const dropped = log.slice(0, log.length - kept.length).map((entry) => entry['metadata-file']);
  return {
    metadata: { ...metadata, 'metadata-log': kept },
    expired: properties['write.metadata.delete-after-commit.enabled'] === 'true' ? dropped : [],
  };
}
