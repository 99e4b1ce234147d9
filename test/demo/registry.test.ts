import { afterAll, beforeAll, expect, test } from 'vitest';
import { startRegistry } from '../../src/demo/registry.ts';
import type { Registry } from '../../src/demo/registry.ts';

let registry: Registry;
beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry.stop());

async function call(path: string, body?: unknown): Promise<[number, unknown]> {
  const response = await fetch(
    registry.url + path,
    body === undefined
      ? {}
      : {
          method: 'POST',
          headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
          body: typeof body === 'string' ? body : JSON.stringify(body),
        },
  );
  expect(response.headers.get('content-type')).toMatch(/^application\/vnd\.schemaregistry\.v1\+json/);
  return [response.status, await response.json()];
}

const first = '{"type":"record","name":"A","fields":[{"name":"x","type":"int"}]}';
const second =
  '{"type":"record","name":"A","fields":[{"name":"x","type":"int"},{"name":"y","type":["null","int"],"default":null}]}';

// Status and error codes as Confluent's API reference lists them.
test('versions and ids of subjects', async () => {
  expect(await call('/subjects/a-value/versions', { schema: first })).toEqual([200, { id: 1 }]);
  expect(await call('/subjects/a-value/versions', { schema: second, schemaType: 'AVRO' })).toEqual([200, { id: 2 }]);
  expect(await call('/subjects/a-value/versions', { schema: ` ${first.replaceAll(':', ' : ')}` })).toEqual([
    200,
    { id: 1 },
  ]);
  expect(await call('/subjects/b-value/versions', { schema: second })).toEqual([200, { id: 2 }]);
  expect(await call('/subjects')).toEqual([200, ['a-value', 'b-value']]);
  expect(await call('/subjects/a-value/versions')).toEqual([200, [1, 2]]);
  expect(await call('/subjects/a-value/versions/latest')).toEqual([
    200,
    { subject: 'a-value', version: 2, id: 2, schema: second },
  ]);
  expect(await call('/subjects/a-value/versions/1')).toEqual([
    200,
    { subject: 'a-value', version: 1, id: 1, schema: first },
  ]);
  expect(await call('/schemas/ids/2')).toEqual([200, { schema: second }]);
  expect(await call('/schemas/ids/2/versions')).toEqual([
    200,
    [
      { subject: 'a-value', version: 2 },
      { subject: 'b-value', version: 1 },
    ],
  ]);
  expect(await call('/subjects/a-value', { schema: first })).toEqual([
    200,
    { subject: 'a-value', version: 1, id: 1, schema: first },
  ]);
});

test('other types carry their type and references', async () => {
  const proto = {
    schema: 'syntax = "proto3"; import "b.proto"; message A { B b = 1; }',
    schemaType: 'PROTOBUF' as const,
    references: [{ name: 'b.proto', subject: 'b', version: 1 }],
  };
  const [, { id }] = (await call('/subjects/p-value/versions', proto)) as [number, { id: number }];
  expect(await call(`/schemas/ids/${id}`)).toEqual([200, proto]);
  expect(registry.register('p-value', proto)).toBe(id);
});

test('what is missing or wrong', async () => {
  expect(await call('/schemas/ids/99')).toMatchObject([404, { error_code: 40403 }]);
  expect(await call('/subjects/none/versions')).toMatchObject([404, { error_code: 40401 }]);
  expect(await call('/subjects/none/versions/latest')).toMatchObject([404, { error_code: 40401 }]);
  expect(await call('/subjects/a-value/versions/9')).toMatchObject([404, { error_code: 40402 }]);
  expect(await call('/subjects/a-value', { schema: '"string"' })).toMatchObject([404, { error_code: 40403 }]);
  expect(await call('/subjects/a-value/versions', { schema: '{' })).toMatchObject([422, { error_code: 42201 }]);
  expect((await call('/subjects/a-value/versions', 'no json'))[0]).toBe(400);
});
