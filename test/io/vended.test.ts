import { describe, expect, it } from 'vitest';
import type { S3Credentials } from '../../src/io/s3.ts';
import { configuredS3, vendedS3 } from '../../src/io/vended.ts';

const storage = { s3: { pathStyle: false } };
const config = {
  's3.access-key-id': 'a',
  's3.secret-access-key': 'b',
  's3.session-token': 'c',
  's3.endpoint': 'http://store',
  's3.path-style-access': 'true',
  'client.region': 'eu-1',
  's3.session-token-expires-at-ms': '5000',
};

describe('vended credentials', () => {
  it('come from the table’s config first, then from the catalog anew', async () => {
    let asked = 0;
    const options = vendedS3(storage, config, () => Promise.resolve({ ...config, 's3.access-key-id': `a${++asked}` }))!;
    expect(options).toMatchObject({ endpoint: 'http://store', region: 'eu-1', pathStyle: true });
    const provide = options.credentials as () => Promise<S3Credentials>;
    expect(await provide()).toEqual({
      accessKeyId: 'a',
      secretAccessKey: 'b',
      sessionToken: 'c',
      expiration: new Date(5000),
    });
    expect((await provide()).accessKeyId).toBe('a1');
    expect((await provide()).accessKeyId).toBe('a2');
  });

  it('leave endpoint and region to the configuration where it names them', () => {
    const named = { s3: { pathStyle: false, endpoint: 'http://mine', region: 'r' } };
    expect(vendedS3(named, config, () => Promise.resolve(config))).toMatchObject({
      endpoint: 'http://mine',
      region: 'r',
    });
  });

  it('are absent where the catalog vends none', () => {
    expect(vendedS3(storage, { 's3.endpoint': 'x' }, () => Promise.resolve({}))).toBeNull();
    expect(configuredS3({ s3: { pathStyle: true, accessKeyId: 'k', secretAccessKey: 's' } })).toEqual({
      pathStyle: true,
      credentials: { accessKeyId: 'k', secretAccessKey: 's' },
    });
  });
});
