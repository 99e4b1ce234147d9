import { createHash, createHmac } from 'node:crypto';
import { fromNodeProviderChain } from '@aws-sdk/credential-providers';
import { SignatureV4 } from '@smithy/signature-v4';
import { TabletopicError } from '../../errors.ts';
import type { Auth } from './auth.ts';

/** Requests signed by AWS Signature Version 4 with credentials of the AWS chain (`service`: `glue`, `s3tables`, `execute-api`). */
export function sigv4Auth({ region, service }: { readonly region: string; readonly service: string }): Auth {
  const signer = new SignatureV4({
    region,
    service,
    credentials: fromNodeProviderChain({ clientConfig: { region } }),
    sha256: Sha256,
  });
  return {
    headers: async ({ method, url, headers, body }) => {
      const { protocol, hostname, port, host, pathname, searchParams } = new URL(url);
      try {
        const signed = await signer.sign({
          method,
          protocol,
          hostname,
          ...(port !== '' && { port: Number(port) }),
          path: pathname,
          query: Object.fromEntries(searchParams),
          headers: { ...headers, host },
          body: body ?? '',
        });
        return signed.headers;
      } catch (error) {
        throw new TabletopicError('CATALOG_AUTH', `the request cannot be signed: ${(error as Error).message}`, {
          cause: error,
          hint: 'Give AWS credentials by environment, profile or role.',
        });
      }
    },
    refresh: () => Promise.resolve(false),
  };
}

/** SHA-256 and its HMAC in the form that the signer takes. */
class Sha256 {
  readonly #hash: { update(data: Uint8Array): unknown; digest(): Buffer };

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytes(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytes(data));
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }

  reset(): void {
    throw new Error('a digest is used once');
  }
}

function bytes(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data);
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}
