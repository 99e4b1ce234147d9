import { createHash, createHmac } from 'node:crypto';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { sigv4Auth } from '../../src/iceberg/rest/sigv4.ts';

beforeEach(() => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKID');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
});
afterEach(() => vi.unstubAllEnvs());

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

it('signs method, path, query, headers and body as AWS describes it', async () => {
  const headers = await sigv4Auth({ region: 'eu-west-1', service: 'glue' }).headers({
    method: 'POST',
    url: 'https://glue.eu-west-1.amazonaws.com/iceberg/v1/namespaces/a%1Fb/tables?pageToken=x%20y',
    headers: { 'content-type': 'application/json' },
    body: '{"a":1}',
  });
  const [, scope, signed, signature] =
    /^AWS4-HMAC-SHA256 Credential=AKID\/(\S+), SignedHeaders=(\S+), Signature=([0-9a-f]{64})$/.exec(
      headers['authorization']!,
    )!;
  const date = headers['x-amz-date']!;
  expect(scope).toBe(`${date.slice(0, 8)}/eu-west-1/glue/aws4_request`);
  expect(signed!.split(';')).toEqual(expect.arrayContaining(['content-type', 'host', 'x-amz-date']));
  // By hand, after "Create a signed AWS API request": the path is encoded once more for services other than S3.
  const canonical = [
    'POST',
    '/iceberg/v1/namespaces/a%251Fb/tables',
    'pageToken=x%20y',
    ...signed!.split(';').map((name) => `${name}:${headers[name]}`),
    '',
    signed,
    sha256('{"a":1}'),
  ].join('\n');
  const text = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n');
  const key = ['eu-west-1', 'glue', 'aws4_request'].reduce<Buffer>(
    (last, part) => hmac(last, part),
    hmac('AWS4secret', date.slice(0, 8)),
  );
  expect(signature).toBe(hmac(key, text).toString('hex'));
});
