import {
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  paginateListObjectsV2,
} from '@aws-sdk/client-s3';
import { TabletopicError } from '../errors.ts';
import type { FileIO, OutputFile } from './file-io.ts';
import { rangeHeader } from './range.ts';
import { s3Error } from './s3-errors.ts';
import type { S3Place } from './s3-errors.ts';
import { S3OutputFile } from './s3-output.ts';

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** A provider is asked again some minutes before. */
  readonly expiration?: Date;
}

export interface S3Options {
  /** Left out: Amazon S3. */
  readonly endpoint?: string;
  /** Left out: from the AWS chain. */
  readonly region?: string;
  readonly pathStyle: boolean;
  /** Left out: the AWS chain (environment, profile, web identity, container, instance). */
  readonly credentials?: S3Credentials | (() => Promise<S3Credentials>);
}

const DELETE_AT_ONCE = 1000;

/** S3 and what speaks its protocol. Requests are repeated by the SDK's standard mode (three attempts with backoff). */
export class S3FileIO implements FileIO {
  readonly #client: S3Client;
  readonly #endpoint: string;

  constructor(options: S3Options) {
    const { endpoint, region, pathStyle, credentials } = options;
    this.#endpoint = endpoint ?? 'Amazon S3';
    this.#client = new S3Client({
      forcePathStyle: pathStyle,
      ...(endpoint !== undefined && { endpoint }),
      // Stores other than Amazon's hardly look at the region, but the signature needs one.
      ...(region !== undefined
        ? { region }
        : endpoint !== undefined && !process.env['AWS_REGION'] && { region: 'us-east-1' }),
      ...(credentials !== undefined && { credentials }),
      retryMode: 'standard',
      maxAttempts: 3,
      // Many stores do not know the newer checksums; requests are signed over their content anyway.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: {
        connectionTimeout: 5_000,
        requestTimeout: 60_000,
        httpAgent: { maxSockets: 64 },
        httpsAgent: { maxSockets: 64 },
      },
    });
  }

  async read(location: string, range?: { offset: number; length?: number }): Promise<Uint8Array> {
    // S3 has no answer for an empty range.
    if (range?.length === 0) return new Uint8Array(0);
    const place = this.#place(location);
    return this.#coded('read', place, async () => {
      const { Body } = await this.#client.send(
        new GetObjectCommand({ ...target(place), ...(range && { Range: rangeHeader(range) }) }),
      );
      return Body!.transformToByteArray();
    });
  }

  /** With `ifAbsent`, a repeated request may find its own success: a caller that gets `STORAGE_EXISTS` and needs to know reads the object. */
  async write(location: string, bytes: Uint8Array, options: { ifAbsent?: boolean } = {}): Promise<void> {
    const place = this.#place(location);
    await this.#coded('write', place, () =>
      this.#client.send(
        new PutObjectCommand({ ...target(place), Body: bytes, ...(options.ifAbsent && { IfNoneMatch: '*' }) }),
      ),
    );
  }

  create(location: string): OutputFile {
    return new S3OutputFile(location, this.#client, this.#place(location));
  }

  async stat(location: string): Promise<{ size: number; modified: number } | null> {
    const place = this.#place(location);
    try {
      const { ContentLength, LastModified } = await this.#client.send(new HeadObjectCommand(target(place)));
      return { size: ContentLength ?? 0, modified: LastModified?.getTime() ?? 0 };
    } catch (error) {
      const coded = s3Error(error, 'look at', place);
      if (coded.code === 'STORAGE_NOT_FOUND' && (error as Error).name !== 'NoSuchBucket') return null;
      throw coded;
    }
  }

  async delete(locations: readonly string[]): Promise<void> {
    const byBucket = Map.groupBy(
      locations.map((location) => this.#place(location)),
      ({ bucket }) => bucket,
    );
    for (const [bucket, places] of byBucket) {
      for (let from = 0; from < places.length; from += DELETE_AT_ONCE) {
        const some = places.slice(from, from + DELETE_AT_ONCE);
        const command = new DeleteObjectsCommand({
          Bucket: bucket,
          Delete: { Quiet: true, Objects: some.map(({ key }) => ({ Key: key })) },
        });
        const { Errors = [] } = await this.#coded('delete', some[0]!, () => this.#client.send(command));
        const failed = Errors.find(({ Code }) => Code !== 'NoSuchKey');
        if (failed)
          throw s3Error(
            Object.assign(new Error(failed.Message ?? 'not deleted'), {
              name: failed.Code ?? 'Error',
              $metadata: { httpStatusCode: failed.Code === 'AccessDenied' ? 403 : 500 },
            }),
            'delete',
            { ...some[0]!, key: failed.Key ?? '' },
          );
      }
    }
  }

  async *list(prefix: string): AsyncIterable<{ location: string; size: number; modified: number }> {
    const place = this.#place(prefix);
    const base = prefix.slice(0, prefix.length - place.key.length);
    try {
      for await (const page of paginateListObjectsV2(
        { client: this.#client },
        { Bucket: place.bucket, Prefix: place.key },
      )) {
        for (const object of page.Contents ?? []) {
          yield { location: base + object.Key!, size: object.Size ?? 0, modified: object.LastModified?.getTime() ?? 0 };
        }
      }
    } catch (error) {
      throw s3Error(error, 'list', place);
    }
  }

  close(): Promise<void> {
    this.#client.destroy();
    return Promise.resolve();
  }

  #place(location: string): S3Place {
    const match = /^s3[an]?:\/\/([^/]+)\/(.*)$/s.exec(location);
    if (!match)
      throw new TabletopicError('CONFIG_INVALID', `${location} is no S3 location`, {
        hint: 'S3 locations read `s3://bucket/key`.',
        where: { location },
      });
    return { bucket: match[1]!, key: match[2]!, endpoint: this.#endpoint };
  }

  async #coded<T>(operation: string, place: S3Place, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      throw s3Error(error, operation, place);
    }
  }
}

function target({ bucket, key }: S3Place): { Bucket: string; Key: string } {
  return { Bucket: bucket, Key: key };
}
