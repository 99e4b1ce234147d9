import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { KafkaConfig } from '../config/config.ts';
import { TabletopicError } from '../errors.ts';

/** TLS options of a connection. `ca`, `cert` and `key` may be PEM text or the path of a PEM file. */
export async function tlsOptions(tls: NonNullable<KafkaConfig['tls']>): Promise<ConnectionOptions> {
  const [ca, cert, key] = await Promise.all([pem('ca', tls.ca), pem('cert', tls.cert), pem('key', tls.key)]);
  return {
    rejectUnauthorized: tls.rejectUnauthorized,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

/** The name sent in the handshake (SNI): as configured, else the host, unless that is an address (RFC 6066 §3). */
export function tlsServerName(tls: NonNullable<KafkaConfig['tls']>, host: string): string | undefined {
  return tls.serverName ?? (isIP(host) === 0 ? host : undefined);
}

async function pem(name: string, value: string | undefined): Promise<string | undefined> {
  if (value === undefined || value.includes('-----BEGIN ')) return value;
  try {
    return await readFile(value, 'utf8');
  } catch (cause) {
    throw new TabletopicError('CONFIG_INVALID', `kafka.tls.${name}: cannot read ${value}`, {
      hint: `Give \`kafka.tls.${name}\` as the path of a PEM file or as PEM text.`,
      cause,
    });
  }
}
