import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { TabletopicError } from '../errors.ts';
import type { OutputFile } from './file-io.ts';
import { free } from '../free.ts';
import { s3Error } from './s3-errors.ts';
import type { S3Place } from './s3-errors.ts';

const PART = 8 * 1024 * 1024;
const IN_FLIGHT = 4;
/** The first piece of memory of a part; it doubles. */
const FIRST = 64 * 1024;

/** S3 takes 10,000 parts: sizes double every 1,000 parts, so that a file may have terabytes. All parts of a file below 8 GB are alike. */
export function partSize(number: number): number {
  return PART * 2 ** Math.floor((number - 1) / 1000);
}

/**
 * A streamed write: one PUT below 8 MiB, else a multipart upload with at most four parts on the way, so that an open file
 * holds at most five parts in memory.
 */
export class S3OutputFile implements OutputFile {
  readonly location: string;
  readonly #client: S3Client;
  readonly #place: S3Place;
  /** The part that is being filled: memory of its own, so that it can be given back as soon as the store has it. */
  #pending = Buffer.alloc(0);
  #pendingBytes = 0;
  #size = 0;
  #uploadId: Promise<string> | null = null;
  readonly #etags: string[] = [];
  #parts = 0;
  readonly #inFlight = new Set<Promise<void>>();
  readonly #cancel = new AbortController();
  #failure: TabletopicError | null = null;
  #closed = false;

  constructor(location: string, client: S3Client, place: S3Place) {
    this.location = location;
    this.#client = client;
    this.#place = place;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#check();
    let rest = bytes;
    while (rest.length > 0) {
      const room = partSize(this.#parts + 1) - this.#pendingBytes;
      const piece = rest.subarray(0, room);
      this.#append(piece);
      this.#size += piece.length;
      rest = rest.subarray(piece.length);
      if (piece.length === room) this.#startPart();
    }
    while (this.#inFlight.size >= IN_FLIGHT) await Promise.race(this.#inFlight);
    this.#check();
  }

  async close(): Promise<number> {
    this.#check();
    this.#closed = true;
    try {
      if (this.#uploadId === null) {
        const body = this.#take();
        await this.#send('write', new PutObjectCommand({ ...this.#target(), Body: body }));
        free(body.buffer);
      } else await this.#complete();
    } catch (error) {
      await this.abort();
      throw error;
    }
    return this.#size;
  }

  async abort(): Promise<void> {
    this.#closed = true;
    this.#take();
    this.#cancel.abort();
    await Promise.all(this.#inFlight);
    const uploadId = await this.#uploadId?.catch(() => null);
    if (!uploadId) return;
    // An upload that cannot be aborted is left to the bucket's rule for incomplete uploads.
    await this.#client
      .send(new AbortMultipartUploadCommand({ ...this.#target(), UploadId: uploadId }))
      .catch(() => undefined);
  }

  async #complete(): Promise<void> {
    if (this.#pendingBytes > 0) this.#startPart();
    await Promise.all(this.#inFlight);
    if (this.#failure) throw this.#failure;
    const parts = this.#etags.map((ETag, i) => ({ ETag, PartNumber: i + 1 }));
    await this.#send(
      'complete',
      new CompleteMultipartUploadCommand({
        ...this.#target(),
        UploadId: await this.#uploadId!,
        MultipartUpload: { Parts: parts },
      }),
    );
    this.#uploadId = null;
  }

  #append(piece: Uint8Array): void {
    const need = this.#pendingBytes + piece.length;
    if (need > this.#pending.length) {
      const room = Math.max(need, Math.min(this.#pending.length * 2, partSize(this.#parts + 1)), FIRST);
      const grown = Buffer.allocUnsafeSlow(room);
      this.#pending.copy(grown, 0, 0, this.#pendingBytes);
      free(this.#pending.buffer);
      this.#pending = grown;
    }
    this.#pending.set(piece, this.#pendingBytes);
    this.#pendingBytes = need;
  }

  /** What was written since the last part. */
  #take(): Buffer {
    const body = this.#pending.subarray(0, this.#pendingBytes);
    this.#pending = Buffer.alloc(0);
    this.#pendingBytes = 0;
    return body;
  }

  #startPart(): void {
    const number = ++this.#parts;
    const body = this.#take();
    // The upload itself is not cancelled: its id is needed to abort it.
    this.#uploadId ??= this.#client
      .send(new CreateMultipartUploadCommand(this.#target()))
      .then(({ UploadId }) => UploadId!);
    const part = this.#upload(number, body, this.#uploadId)
      .catch((error: unknown) => {
        this.#failure ??= s3Error(error, 'upload', this.#place);
      })
      .finally(() => this.#inFlight.delete(part));
    this.#inFlight.add(part);
  }

  async #upload(number: number, body: Uint8Array, uploadId: Promise<string>): Promise<void> {
    const command = new UploadPartCommand({
      ...this.#target(),
      UploadId: await uploadId,
      PartNumber: number,
      Body: body,
    });
    const { ETag } = await this.#client.send(command, { abortSignal: this.#cancel.signal });
    this.#etags[number - 1] = ETag!;
    // Only after a success: a request that failed may still be on its way.
    free(body.buffer);
  }

  async #send(operation: string, command: PutObjectCommand | CompleteMultipartUploadCommand): Promise<void> {
    try {
      await this.#client.send(command as PutObjectCommand);
    } catch (error) {
      throw s3Error(error, operation, this.#place);
    }
  }

  #target(): { Bucket: string; Key: string } {
    return { Bucket: this.#place.bucket, Key: this.#place.key };
  }

  #check(): void {
    if (this.#closed) throw new TabletopicError('INTERNAL', `${this.location} was closed or given up`);
    if (this.#failure) throw this.#failure;
  }
}
