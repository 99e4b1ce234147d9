import { TabletopicError } from '../errors.ts';

export interface S3Place {
  readonly bucket: string;
  readonly key: string;
  readonly endpoint: string;
}

const CREDENTIALS = new Set([
  'CredentialsProviderError',
  'TokenProviderError',
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'InvalidToken',
  'ExpiredTokenException',
  'UnrecognizedClientException',
  // versitygw, with status 404
  'XAdminUserNotFound',
]);

/** An error of the SDK as a coded one, with place and remedy. */
export function s3Error(error: unknown, operation: string, place: S3Place): TabletopicError {
  if (error instanceof TabletopicError) return error;
  const {
    name = 'Error',
    message = String(error),
    $metadata,
  } = error as { name?: string; message?: string; $metadata?: { httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode;
  const where = { bucket: place.bucket, key: place.key, endpoint: place.endpoint };
  const at = `s3://${place.bucket}/${place.key} at ${place.endpoint}`;
  const details = { cause: error, where };
  if (name === 'NoSuchBucket') {
    return new TabletopicError('STORAGE_NOT_FOUND', `bucket ${place.bucket} does not exist at ${place.endpoint}`, {
      ...details,
      hint: 'Create the bucket, or correct the warehouse or `storage.s3.endpoint`.',
    });
  }
  if (name === 'PreconditionFailed' || status === 412)
    return new TabletopicError('STORAGE_EXISTS', `${at} exists already`, details);
  if (CREDENTIALS.has(name)) {
    return new TabletopicError('STORAGE_AUTH', `${operation} ${at}: ${name}: ${message}`, {
      ...details,
      hint: 'The store does not accept the credentials: check `storage.s3`, the AWS environment and profile, or what the catalog vends.',
    });
  }
  if (name === 'RequestTimeTooSkewed')
    return new TabletopicError('STORAGE_AUTH', `${operation} ${at}: ${message}`, {
      ...details,
      hint: 'Set the clock of this machine.',
    });
  if (status === 401 || status === 403) {
    return new TabletopicError(
      'STORAGE_AUTH',
      `${operation} ${at} is forbidden: ${name === 'Unknown' || name === '403' ? 'access denied' : name}`,
      {
        ...details,
        hint: 'Allow s3:GetObject, PutObject, DeleteObject, ListBucket and AbortMultipartUpload on the warehouse for these credentials.',
      },
    );
  }
  if (status === 301 || status === 307 || name === 'PermanentRedirect' || name === 'AuthorizationHeaderMalformed') {
    return new TabletopicError('STORAGE_UNAVAILABLE', `${operation} ${at}: the bucket is in another region`, {
      ...details,
      hint: 'Set `storage.s3.region` to the region of the bucket.',
    });
  }
  if (status === 404 || name === 'NoSuchKey' || name === 'NotFound')
    return new TabletopicError('STORAGE_NOT_FOUND', `${at} does not exist`, details);
  return new TabletopicError('STORAGE_UNAVAILABLE', `${operation} ${at}: ${name}: ${message}`, details);
}
