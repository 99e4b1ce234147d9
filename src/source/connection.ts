import type { EventEmitter } from 'node:events';
import { Connection, type ConnectionOptions } from '@platformatic/kafka';
import type pino from 'pino';
import type { KafkaConfig } from '../config/config.ts';
import { TabletopicError } from '../errors.ts';
import type { Ports } from '../ports.ts';
import { FetchConnection } from './fetch-connection.ts';
import { kafkaError } from './kafka-errors.ts';
import { saslOptions } from './sasl.ts';
import { tlsOptions, tlsServerName } from './tls.ts';
import { within } from './waiting.ts';

export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

const connectTimeout = 10_000;

/** The client library's connections, and those that fetch. */
type Opened = Connection | FetchConnection;
type Make<C extends Opened> = (options: ConnectionOptions) => C;

/**
 * The connections of one process. A broker answers the requests of a connection one after another, so a blocking
 * JoinGroup or a long poll would hold back what comes after it: connections are keyed by broker and purpose, and a
 * connection is never shared between purposes.
 */
export class Connections {
  readonly #config: KafkaConfig;
  readonly #ports: Ports;
  readonly #logger: pino.Logger;
  #options: Promise<ConnectionOptions> | null = null;
  readonly #brokers = new Map<number, BrokerAddress>();
  readonly #byKey = new Map<string, Promise<Opened>>();
  readonly #all = new Set<Opened>();
  #closed = false;

  constructor(config: KafkaConfig, ports: Ports, logger: pino.Logger) {
    this.#config = config;
    this.#ports = ports;
    this.#logger = logger;
  }

  /** Addresses of the cluster's brokers, from metadata. Connections to a broker that moved are dropped. */
  setBrokers(brokers: readonly (BrokerAddress & { readonly nodeId: number })[]): void {
    const known = new Set(brokers.map((b) => b.nodeId));
    for (const { nodeId, host, port } of brokers) {
      const old = this.#brokers.get(nodeId);
      if (old !== undefined && (old.host !== host || old.port !== port)) this.#dropNode(nodeId);
      this.#brokers.set(nodeId, { host, port });
    }
    for (const nodeId of this.#brokers.keys()) if (!known.has(nodeId)) this.#brokers.delete(nodeId);
  }

  /** A broker that an answer named before the metadata did. */
  learn(broker: BrokerAddress & { readonly nodeId: number }): void {
    if (!this.#brokers.has(broker.nodeId)) this.#brokers.set(broker.nodeId, { host: broker.host, port: broker.port });
  }

  /**
   * The connection to a broker for a purpose, made when there is none. `requestTimeout` bounds each request on it, ms.
   * Throws `KAFKA_UNAVAILABLE` or `KAFKA_AUTH`.
   */
  async get(
    nodeId: number,
    purpose: string,
    requestTimeout: number = this.#config.requestTimeout,
  ): Promise<Connection> {
    return await this.#keyed(`${nodeId}/${purpose}`, this.#address(nodeId), this.#plain(requestTimeout));
  }

  /** As `get`, a connection that fetches; `purpose` is of such connections only. */
  async fetching(nodeId: number, purpose: string): Promise<FetchConnection> {
    const { clientId, requestTimeout } = this.#config;
    const make: Make<FetchConnection> = (options) =>
      new FetchConnection(clientId, { ...options, requestTimeout }, this.#ports.clock);
    for (;;) {
      const connection = await this.#keyed(`${nodeId}/${purpose}`, this.#address(nodeId), make);
      if (connection.isUsable) return connection;
      this.drop(connection);
      // Forgotten by then.
      await Promise.resolve();
    }
  }

  /**
   * A connection to any broker, for metadata: the open one, else the first of the known and the bootstrap brokers that
   * answers. Throws `KAFKA_AUTH` as soon as one refuses, else `KAFKA_UNAVAILABLE` naming all.
   */
  async any(): Promise<Connection> {
    const open = this.#byKey.get('any');
    if (open !== undefined) return (await open) as Connection;
    const failures: TabletopicError[] = [];
    for (const address of this.#candidates()) {
      try {
        return await this.#keyed('any', address, this.#plain(this.#config.requestTimeout));
      } catch (error) {
        const failure = kafkaError(error, `broker ${address.host}:${address.port}`);
        if (failure.code !== 'KAFKA_UNAVAILABLE') throw failure;
        failures.push(failure);
      }
    }
    throw new TabletopicError('KAFKA_UNAVAILABLE', failures.map((f) => f.message).join('; '), { cause: failures[0] });
  }

  /** Forgets a connection on which a request failed, so that the next one starts afresh. */
  drop(connection: Opened): void {
    for (const [key, pending] of this.#byKey) {
      void pending.then((c) => {
        if (c === connection && this.#byKey.get(key) === pending) this.#byKey.delete(key);
      }, ignore);
    }
    void this.#end(connection);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#byKey.clear();
    const ended = [...this.#all].map((connection) => this.#end(connection));
    await within(this.#ports.clock, 1000, Promise.all(ended));
  }

  #dropNode(nodeId: number): void {
    for (const [key, pending] of this.#byKey)
      if (key.startsWith(`${nodeId}/`)) void pending.then((c) => this.drop(c), ignore);
  }

  #candidates(): BrokerAddress[] {
    const bootstrap = this.#config.brokers.map(parseAddress);
    const known = [...this.#brokers.values()].filter(
      (k) => !bootstrap.some((b) => b.host === k.host && b.port === k.port),
    );
    const all = [...bootstrap, ...known];
    const first = Math.floor(this.#ports.random.next() * all.length);
    return [...all.slice(first), ...all.slice(0, first)];
  }

  #address(nodeId: number): BrokerAddress {
    const address = this.#brokers.get(nodeId);
    if (address !== undefined) return address;
    throw new TabletopicError('KAFKA_UNAVAILABLE', `broker ${nodeId} is not part of the cluster’s metadata`);
  }

  #plain(requestTimeout: number): Make<Connection> {
    return (options) => {
      const connection = new Connection(this.#config.clientId, { ...options, requestTimeout });
      // Every failure also rejects the call under way; without a listener the event itself would end the process.
      connection.on('error', ignore);
      return connection;
    };
  }

  /** The connection of the key: one key is always made by the same kind of `make`. */
  async #keyed<C extends Opened>(key: string, address: BrokerAddress, make: Make<C>): Promise<C> {
    if (this.#closed) throw new TabletopicError('KAFKA_UNAVAILABLE', 'the Kafka client is closed');
    const existing = this.#byKey.get(key);
    if (existing !== undefined) return (await existing) as C;
    const pending = this.#open(address, make, (connection) => {
      if (this.#byKey.get(key) === pending) this.#byKey.delete(key);
      void this.#end(connection);
    });
    this.#byKey.set(key, pending);
    try {
      return await pending;
    } catch (error) {
      if (this.#byKey.get(key) === pending) this.#byKey.delete(key);
      throw error;
    }
  }

  async #open<C extends Opened>(
    address: BrokerAddress,
    make: Make<C>,
    onClose: (connection: Opened) => void,
  ): Promise<C> {
    const { host, port } = address;
    const { tls } = this.#config;
    this.#options ??= this.#prepare();
    const options = await this.#options;
    const serverName = tls === null ? undefined : tlsServerName(tls, host);
    const connection = make({ ...options, ...(serverName === undefined ? {} : { tlsServerName: serverName }) });
    this.#all.add(connection);
    const events: EventEmitter = connection;
    events.once('close', () => onClose(connection));
    try {
      if (this.#closed) throw new TabletopicError('KAFKA_UNAVAILABLE', 'the Kafka client is closed');
      await connection.connect(host, port);
    } catch (error) {
      void this.#end(connection);
      throw kafkaError(error, `broker ${host}:${port}`);
    }
    this.#logger.debug({ broker: `${host}:${port}` }, 'connected to broker');
    return connection;
  }

  async #prepare(): Promise<ConnectionOptions> {
    const { tls, sasl } = this.#config;
    return {
      connectTimeout,
      ...(tls === null ? {} : { tls: await tlsOptions(tls) }),
      ...(sasl === null ? {} : { sasl: saslOptions(sasl, this.#ports.clock) }),
    };
  }

  /** Closes without waiting for the other side; resolves when the socket is gone. */
  #end(connection: Opened): Promise<void> {
    this.#all.delete(connection);
    const ended = new Promise<void>((resolve) => {
      void connection.close(() => resolve());
    });
    connection.socket?.destroy();
    return ended;
  }
}

/** `host:port` or `[address]:port`; the port defaults to 9092. */
export function parseAddress(text: string): BrokerAddress {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text.trim());
  if (match === null)
    throw new TabletopicError('CONFIG_INVALID', `kafka.brokers: ${JSON.stringify(text)} is not host:port`);
  return { host: match[1] ?? match[2]!, port: Number(match[3] ?? 9092) };
}

function ignore(): void {}
