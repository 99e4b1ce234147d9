import { expect, test } from 'vitest';
import { systemPorts } from '../../src/ports.ts';
import { createRegistry } from '../../src/registry/client.ts';
import { convertAvro } from '../../src/schema/avro.ts';
import { sharedStack } from '../real/shared.ts';

/** The client against a schema registry that we did not write. */
test('schemas are registered, found by id and as the newest, with their references; what is missing is missing', async () => {
  const { url } = sharedStack().registry;
  const registry = createRegistry({ url: [url], tls: null, requestTimeout: 10_000 }, systemPorts, () => undefined);
  const inner = '{"type":"record","name":"Inner","namespace":"lab","fields":[{"name":"v","type":"long"}]}';
  const outer = '{"type":"record","name":"Outer","namespace":"lab","fields":[{"name":"inner","type":"Inner"}]}';
  const innerId = await registry.register('lab-inner', inner);
  expect(await registry.register('lab-inner', inner)).toBe(innerId);
  expect(JSON.parse((await registry.schema(innerId)).text)).toEqual(JSON.parse(inner));

  const references = [{ name: 'lab.Inner', subject: 'lab-inner', version: 1 }];
  const response = await fetch(`${url}/subjects/lab-outer-value/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schema: outer, schemaType: 'AVRO', references }),
  });
  const { id } = (await response.json()) as { id: number };
  const latest = await registry.latest('lab-outer-value');
  expect(latest).toMatchObject({ id, type: 'AVRO' });
  const schema = await registry.schema(id);
  expect(Object.keys(schema.references)).toEqual(['lab.Inner']);
  const { struct } = convertAvro(schema.text, schema.references, {
    timeOfDay: 'time',
    nanos: 'micros',
    unions: 'optional',
  });
  expect(struct.fields.map(({ name }) => name)).toEqual(['inner']);

  expect(await registry.latest('lab-no-such-subject')).toBe(null);
  await expect(registry.schema(2 ** 31 - 1)).rejects.toMatchObject({ code: 'REGISTRY_SCHEMA_MISSING' });
});
