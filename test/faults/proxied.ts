import { Environment } from '../real/stack.ts';
import { HttpProxy } from './http-proxy.ts';
import { KafkaProxy } from './kafka-proxy.ts';

/** The servers of an environment, each behind a proxy. */
export class Proxied {
  readonly kafka: KafkaProxy;
  readonly catalog: HttpProxy;
  readonly s3: HttpProxy;
  /** As the service sees it. */
  readonly environment: Environment;

  constructor(stack: Environment, kafka: KafkaProxy, catalog: HttpProxy, s3: HttpProxy) {
    this.kafka = kafka;
    this.catalog = catalog;
    this.s3 = s3;
    this.environment = new Environment({
      ...stack.addresses,
      kafka: { brokers: kafka.brokers },
      catalog: { ...stack.catalog, uri: catalog.uri },
      s3: { ...stack.s3, endpoint: s3.uri },
    });
  }

  static async open(stack: Environment): Promise<Proxied> {
    const [kafka, catalog, s3] = await Promise.all([
      KafkaProxy.open(stack.kafka.brokers[0]!),
      HttpProxy.open(stack.catalog.uri),
      HttpProxy.open(stack.s3.endpoint),
    ]);
    return new Proxied(stack, kafka, catalog, s3);
  }

  async close(): Promise<void> {
    await Promise.all([this.kafka.close(), this.catalog.close(), this.s3.close()]);
  }
}
