import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dirOf } from './parts.ts';
import type { S3Address } from './s3.ts';
import { Server, answers, freePort } from './server.ts';
import { java } from './tools.ts';

export interface CatalogAddress {
  uri: string;
  warehouse: string;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

/**
 * The fixture's own main binds every interface; its servlet under Jetty's XML start binds one. Credentials are not vended:
 * clients bring their own.
 */
function jettyXml(port: number, properties: Readonly<Record<string, string>>): string {
  const entries = Object.entries(properties).map(
    ([k, v]) => `<Entry><Item>${k}</Item><Item>${escape(v)}</Item></Entry>`,
  );
  return `<?xml version="1.0"?>
<!DOCTYPE Configure PUBLIC "-//Jetty//Configure//EN" "https://jetty.org/configure_10_0.dtd">
<Configure id="server" class="org.eclipse.jetty.server.Server">
  <Call name="addConnector"><Arg><New class="org.eclipse.jetty.server.ServerConnector">
    <Arg><Ref refid="server"/></Arg>
    <Set name="host">127.0.0.1</Set>
    <Set name="port">${port}</Set>
  </New></Arg></Call>
  <Set name="handler"><New class="org.eclipse.jetty.ee10.servlet.ServletContextHandler">
    <Set name="contextPath">/</Set>
    <Call name="addServlet">
      <Arg><New class="org.eclipse.jetty.ee10.servlet.ServletHolder">
        <Arg><New class="org.apache.iceberg.rest.RESTCatalogServlet">
          <Arg><New class="org.apache.iceberg.rest.RESTCatalogAdapter">
            <Arg><Call class="org.apache.iceberg.CatalogUtil" name="buildIcebergCatalog">
              <Arg>rest_backend</Arg>
              <Arg><Map>${entries.join('')}</Map></Arg>
              <Arg><New class="org.apache.hadoop.conf.Configuration"/></Arg>
            </Call></Arg>
          </New></Arg>
        </New></Arg>
      </New></Arg>
      <Arg>/*</Arg>
    </Call>
  </New></Set>
</Configure>
`;
}

export interface CatalogOptions {
  /** 512 if left out; metadata of many megabytes want more. */
  readonly heapMiB?: number;
}

/** Apache Iceberg's REST catalog over JdbcCatalog on SQLite; its state outlives a kill. */
export async function catalogServer(
  dir: string,
  s3: S3Address,
  { heapMiB = 512 }: CatalogOptions = {},
): Promise<{ server: Server; address: CatalogAddress }> {
  const port = await freePort();
  const address = { uri: `http://127.0.0.1:${port}`, warehouse: `s3://${s3.bucket}/warehouse` };
  const xml = join(dir, 'jetty.xml');
  const server = new Server({
    name: 'catalog',
    dir,
    command: java(17),
    args: [
      `-Xmx${heapMiB}m`,
      '-XX:+UseSerialGC',
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
      '-cp',
      join(dirOf('catalog'), '*'),
      'org.eclipse.jetty.xml.XmlConfiguration',
      xml,
    ],
    env: { AWS_ACCESS_KEY_ID: s3.accessKey, AWS_SECRET_ACCESS_KEY: s3.secretKey, AWS_REGION: s3.region },
    healthy: () => answers(`${address.uri}/v1/config`),
  });
  writeFileSync(
    xml,
    jettyXml(port, {
      'catalog-impl': 'org.apache.iceberg.jdbc.JdbcCatalog',
      uri: `jdbc:sqlite:file:${join(dir, 'catalog.db')}?busy_timeout=10000&journal_mode=WAL&synchronous=NORMAL`,
      'jdbc.user': 'user',
      'jdbc.password': 'password',
      'jdbc.schema-version': 'V1',
      warehouse: address.warehouse,
      'io-impl': 'org.apache.iceberg.aws.s3.S3FileIO',
      's3.endpoint': s3.endpoint,
      's3.path-style-access': 'true',
      'client.region': s3.region,
    }),
  );
  return { server, address };
}
