import { AbortMultipartUploadCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { afterAll, describe, expect, it } from 'vitest';
import { S3FileIO } from '../../src/io/s3.ts';
import { systemPorts } from '../../src/ports.ts';
import { s3Client } from '../real/s3.ts';
import { sharedStack } from '../real/shared.ts';
import { storeConformance } from './conformance.ts';

const { s3 } = sharedStack();
const options = {
  endpoint: s3.endpoint,
  region: s3.region,
  pathStyle: true,
  credentials: { accessKeyId: s3.accessKey, secretAccessKey: s3.secretKey },
};

storeConformance('S3', () => {
  const prefix = `io-${systemPorts.ids.uuid()}`;
  const io = new S3FileIO(options);
  const client = s3Client(s3);
  return Promise.resolve({
    io,
    root: `s3://${s3.bucket}/${prefix}`,
    leftovers: async () => {
      const { Uploads = [] } = await client.send(
        new ListMultipartUploadsCommand({ Bucket: s3.bucket, Prefix: prefix }),
      );
      return Uploads.length;
    },
    stop: async () => {
      const { Uploads = [] } = await client.send(
        new ListMultipartUploadsCommand({ Bucket: s3.bucket, Prefix: prefix }),
      );
      for (const { Key, UploadId } of Uploads)
        await client.send(new AbortMultipartUploadCommand({ Bucket: s3.bucket, Key, UploadId }));
      client.destroy();
      await io.close();
    },
  });
});

describe('S3 errors', () => {
  const opened: S3FileIO[] = [];
  const open = (changed: Partial<ConstructorParameters<typeof S3FileIO>[0]>): S3FileIO => {
    const io = new S3FileIO({ ...options, ...changed });
    opened.push(io);
    return io;
  };
  afterAll(() => Promise.all(opened.map((io) => io.close())));

  it('name a bucket that does not exist', async () => {
    const error = {
      code: 'STORAGE_NOT_FOUND',
      message: expect.stringContaining('bucket no-such-bucket does not exist'),
    };
    await expect(open({}).write('s3://no-such-bucket/x', new Uint8Array(1))).rejects.toMatchObject(error);
    await expect(open({}).create('s3://no-such-bucket/x').close()).rejects.toMatchObject(error);
  });

  it('name wrong credentials as such', async () => {
    const io = open({ credentials: { accessKeyId: 'tabletopic', secretAccessKey: 'wrong' } });
    await expect(io.read(`s3://${s3.bucket}/x`)).rejects.toMatchObject({
      code: 'STORAGE_AUTH',
      where: { bucket: s3.bucket, key: 'x' },
    });
  });

  it('are unavailable where nobody listens', async () => {
    await expect(open({ endpoint: 'http://127.0.0.1:1' }).read(`s3://${s3.bucket}/x`)).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      message: expect.stringContaining('127.0.0.1:1'),
    });
  });

  it('of an upload that was refused leave nothing open', async () => {
    const io = open({});
    const output = io.create('s3://no-such-bucket/large');
    await expect(
      (async () => {
        for (let i = 0; i < 40; i++) await output.write(new Uint8Array(1024 * 1024));
        await output.close();
      })(),
    ).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
    await output.abort();
  });

  it('ask a provider again when its credentials run out', async () => {
    let asked = 0;
    const io = open({
      credentials: () => {
        asked++;
        return Promise.resolve({ ...options.credentials, expiration: new Date(Date.now() + 1000) });
      },
    });
    for (let i = 0; i < 3; i++) await io.stat(`s3://${s3.bucket}/absent`);
    expect(asked).toBeGreaterThan(1);
  });
});
