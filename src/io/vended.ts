import type { StorageConfig } from '../config/config.ts';
import type { S3Credentials, S3Options } from './s3.ts';

/** Table-scoped settings of a REST catalog (`LoadTableResult.config`); asked again when its credentials run out. */
export type TableConfigSource = () => Promise<Readonly<Record<string, string>>>;

/** S3 options from the configuration alone. */
export function configuredS3({ s3 }: StorageConfig): S3Options {
  const { endpoint, region, pathStyle, accessKeyId, secretAccessKey, sessionToken } = s3;
  return {
    pathStyle,
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    ...(accessKeyId !== undefined &&
      secretAccessKey !== undefined && {
        credentials: { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
      }),
  };
}

/**
 * S3 options with what the catalog vends: its credentials, and endpoint, region and path style where the configuration
 * leaves them open. Null where the table's config holds no credentials. Keys as in Java's `S3FileIOProperties`.
 */
export function vendedS3(
  storage: StorageConfig,
  config: Readonly<Record<string, string>>,
  refresh: TableConfigSource,
): S3Options | null {
  const first = vendedCredentials(config);
  if (first === null) return null;
  const own = configuredS3(storage);
  const endpoint = own.endpoint ?? config['s3.endpoint'];
  const region = own.region ?? config['client.region'] ?? config['s3.region'];
  let next: S3Credentials | null = first;
  return {
    pathStyle: own.pathStyle || config['s3.path-style-access'] === 'true',
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    credentials: async () => {
      const credentials: S3Credentials = next ?? vendedCredentials(await refresh()) ?? first;
      next = null;
      return credentials;
    },
  };
}

function vendedCredentials(config: Readonly<Record<string, string>>): S3Credentials | null {
  const {
    's3.access-key-id': accessKeyId,
    's3.secret-access-key': secretAccessKey,
    's3.session-token': sessionToken,
    's3.session-token-expires-at-ms': expires,
  } = config;
  if (!accessKeyId || !secretAccessKey) return null;
  return {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken && { sessionToken }),
    ...(expires && Number.isFinite(Number(expires)) && { expiration: new Date(Number(expires)) }),
  };
}
