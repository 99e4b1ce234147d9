import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { dirOf, registryJava } from './parts.ts';
import { Server, answers, freePort } from './server.ts';
import { java } from './tools.ts';

/** Apicurio Registry with its Confluent-compatible interface; schemas outlive a kill (H2 file). */
export async function registryServer(dir: string): Promise<{ server: Server; url: string }> {
  const [port, managementPort] = [await freePort(), await freePort()];
  const base = dirOf('registry');
  const jar = ['quarkus-run.jar', ...readdirSync(base).filter((f) => f.endsWith('-runner.jar'))].find((f) =>
    existsSync(join(base, f)),
  );
  if (jar === undefined) throw new Error(`no Apicurio start file in ${base}`);
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`;
  const database = `jdbc:h2:file:${join(dir, 'db')}`;
  const server = new Server({
    name: 'registry',
    dir,
    command: java(registryJava),
    args: ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-jar', join(base, jar)],
    env: {
      QUARKUS_PROFILE: 'prod',
      QUARKUS_HTTP_HOST: '127.0.0.1',
      QUARKUS_HTTP_PORT: String(port),
      QUARKUS_MANAGEMENT_HOST: '127.0.0.1',
      QUARKUS_MANAGEMENT_PORT: String(managementPort),
      APICURIO_STORAGE_KIND: 'sql',
      APICURIO_STORAGE_SQL_KIND: 'h2',
      APICURIO_DATASOURCE_URL: database,
      REGISTRY_DATASOURCE_URL: database,
    },
    healthy: () => answers(`${url}/subjects`),
  });
  return { server, url };
}
