import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { Ports } from '../../ports.ts';
import type { RecordToEncode } from '../../source/batch-encoder.ts';
import { serve } from './connection.ts';
import type { BrokerContext } from './context.ts';
import { Groups } from './groups.ts';
import type { PartitionLog } from './partition-log.ts';
import { Topics } from './topics.ts';
import type { BrokerTopic } from './topics.ts';
import { Transactions } from './transactions.ts';

export interface BrokerOptions {
  /** 0 (default): any free port. */
  readonly port?: number;
  /** Address to listen on and to announce to clients. Default 127.0.0.1. */
  readonly host?: string;
  readonly ports: Ports;
  /** Oldest batches of a partition beyond it are dropped. Default 32 MiB: everything is kept in memory. */
  readonly retentionBytes?: number;
  /** Topics come into being when they are asked for (`auto.create.topics.enable`). Default true. */
  readonly autoCreateTopics?: boolean;
  /** A request could not be answered and its connection was closed: it was malformed, of an unknown version, or met a defect. */
  readonly onError?: (error: Error) => void;
}

/** An embedded Kafka broker: one node, in memory. For the demo and tests without a real one; no proof of anything about Kafka. */
export interface Broker {
  readonly host: string;
  readonly port: number;
  /** `host:port`, as clients are configured. */
  readonly address: string;
  readonly clusterId: string;
  readonly topics: Topics;
  readonly groups: Groups;
  createTopic(name: string, partitions: number): BrokerTopic;
  /** The log of a partition, to look at or to change as no client can (compaction, lost records, a new leader). */
  log(topic: string, partition: number): PartitionLog;
  /** Appends records as one batch and returns the offset of the first. */
  append(topic: string, partition: number, records: readonly Omit<RecordToEncode, 'offset'>[]): number;
  /** Closes every connection at once, as a broker that dies; it listens on. */
  dropConnections(): void;
  stop(): Promise<void>;
}

const DEFAULT_RETENTION_BYTES = 32 << 20;
/** Nobody is there to answer: no error of the broker. */
const CONNECTION_LOST: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE']);

/** Starts the broker. @throws Error of `listen` (EADDRINUSE …) */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const { ports, host = '127.0.0.1' } = options;
  const topics = new Topics(ports.ids, options.retentionBytes ?? DEFAULT_RETENTION_BYTES);
  const groups = new Groups(ports);
  const transactions = new Transactions(ports, groups);
  const clusterId = Buffer.from(ports.ids.uuid().replaceAll('-', ''), 'hex').toString('base64url');
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true });
  server.listen(options.port ?? 0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const context: BrokerContext = {
    ports,
    clusterId,
    host,
    port,
    autoCreateTopics: options.autoCreateTopics ?? true,
    topics,
    groups,
    transactions,
  };

  server.on('connection', (socket) => {
    const abort = new AbortController();
    sockets.add(socket);
    // A broken connection is the client's business; it connects again.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      sockets.delete(socket);
      abort.abort();
    });
    serve(socket, context, abort.signal).then(
      () => socket.end(),
      (error: unknown) => {
        if (!CONNECTION_LOST.has((error as NodeJS.ErrnoException).code ?? '')) options.onError?.(error as Error);
        socket.destroy();
      },
    );
  });

  const dropConnections = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    host,
    port,
    address: `${host}:${port}`,
    clusterId,
    topics,
    groups,
    dropConnections,
    createTopic: (name, partitions) => topics.create(name, partitions),
    log: (topic, partition) => topics.partition(topic, partition),
    append: (topic, partition, records) => topics.partition(topic, partition).append(records),
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      dropConnections();
      groups.close();
      transactions.close();
      await closed;
    },
  };
}
