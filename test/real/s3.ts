import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { BucketAlreadyOwnedByYou, CreateBucketCommand, ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import { dirOf } from './parts.ts';
import { Server, freePort } from './server.ts';

/** How to reach the object store; path style only. */
export interface S3Address {
  endpoint: string;
  accessKey: string;
  secretKey: string;
  region: string;
  bucket: string;
}

/** versitygw over a directory. */
export async function s3Server(dir: string): Promise<{ server: Server; address: S3Address }> {
  const port = await freePort();
  const address: S3Address = {
    endpoint: `http://127.0.0.1:${port}`,
    accessKey: 'tabletopic',
    secretKey: 'tabletopic-secret',
    region: 'us-east-1',
    bucket: 'lake',
  };
  const root = join(dir, 'root');
  mkdirSync(root, { recursive: true });
  const server = new Server({
    name: 's3',
    dir,
    command: join(dirOf('s3'), 'versitygw'),
    // Without --keep-alive each request is a new connection.
    args: [
      '--access',
      address.accessKey,
      '--secret',
      address.secretKey,
      '--region',
      address.region,
      '--port',
      `127.0.0.1:${port}`,
      '--keep-alive',
      '--quiet',
      'posix',
      root,
    ],
    healthy: () => listsBuckets(address),
  });
  return { server, address };
}

export function s3Client(address: S3Address): S3Client {
  return new S3Client({
    endpoint: address.endpoint,
    region: address.region,
    forcePathStyle: true,
    credentials: { accessKeyId: address.accessKey, secretAccessKey: address.secretKey },
  });
}

async function listsBuckets(address: S3Address): Promise<boolean> {
  const client = s3Client(address);
  try {
    await client.send(new ListBucketsCommand({}));
    return true;
  } finally {
    client.destroy();
  }
}

export async function createBucket(address: S3Address, bucket: string): Promise<void> {
  const client = s3Client(address);
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
  } catch (error) {
    if (!(error instanceof BucketAlreadyOwnedByYou)) throw error;
  } finally {
    client.destroy();
  }
}
