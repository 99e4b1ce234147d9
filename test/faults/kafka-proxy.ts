import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Points } from './points.ts';

/** The APIs that tests tell apart, by their key (Kafka protocol guide, "Api Keys"). */
const names: Readonly<Record<number, string>> = {
  1: 'Fetch',
  2: 'ListOffsets',
  3: 'Metadata',
  8: 'OffsetCommit',
  9: 'OffsetFetch',
  10: 'FindCoordinator',
  11: 'JoinGroup',
  12: 'Heartbeat',
  13: 'LeaveGroup',
  14: 'SyncGroup',
  60: 'DescribeCluster',
  68: 'ConsumerGroupHeartbeat',
};
/** Their answers name brokers. */
const naming = new Set([3, 10, 60]);

/**
 * A proxy before a Kafka of one broker. Answers that name the broker name the proxy in its place: host and port stand in them
 * as length-prefixed text and 4 bytes, so that both are of the same length.
 */
export class KafkaProxy {
  readonly points: Points = new Points();
  readonly #port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(broker: string) {
    const [host, port] = broker.split(':');
    if (host !== '127.0.0.1') throw new Error(`only brokers of 127.0.0.1, not ${broker}`);
    this.#port = Number(port);
    this.#server = createServer({ noDelay: true }, (client) => this.#serve(client));
  }

  static async open(broker: string): Promise<KafkaProxy> {
    const proxy = new KafkaProxy(broker);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get brokers(): string[] {
    return [`127.0.0.1:${this.#ownPort}`];
  }

  get #ownPort(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(client: Socket): void {
    const broker = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    for (const socket of [client, broker]) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        client.destroy();
        broker.destroy();
      });
    }
    /** API keys by correlation id; and those whose answer is to be lost. */
    const asked = new Map<number, number>();
    const lost = new Set<number>();
    void eachFrame(client, async (frame) => {
      const api = frame.readInt16BE(4);
      const id = frame.readInt32BE(8);
      const passing = { what: names[api] ?? `api ${api}`, body: frame };
      const pass = (): void => {
        asked.set(id, api);
        broker.write(frame);
      };
      const rule = this.points.ruleFor(passing);
      if (rule !== null) {
        if (rule.at !== 'request') throw new Error('Kafka requests are held before they are passed on only');
        await new Promise<void>((resolve) =>
          rule.held({ ...passing, release: () => (pass(), resolve(), Promise.resolve(200)) }),
        );
        return;
      }
      const trouble = this.points.troubleFor(passing);
      if (trouble?.kind === 'drop') return;
      if (trouble?.kind === 'reset') return void client.resetAndDestroy();
      if (trouble?.kind === 'lost') lost.add(id);
      if (trouble?.kind === 'delay') await sleep(trouble.delay);
      pass();
    });
    void eachFrame(broker, (frame) => {
      const id = frame.readInt32BE(4);
      if (lost.has(id)) return Promise.resolve(void client.resetAndDestroy());
      const api = asked.get(id);
      asked.delete(id);
      client.write(api !== undefined && naming.has(api) ? this.#renamed(frame) : frame);
      return Promise.resolve();
    });
  }

  #renamed(frame: Buffer): Buffer {
    const address = (port: number): Buffer => {
      const bytes = Buffer.from('127.0.0.1....');
      bytes.writeInt32BE(port, 9);
      return bytes;
    };
    const [theirs, ours] = [address(this.#port), address(this.#ownPort)];
    for (let at = frame.indexOf(theirs); at >= 0; at = frame.indexOf(theirs, at)) ours.copy(frame, at);
    return frame;
  }
}

/** Calls for each frame, with its 4 bytes of length, one after another; ends with the connection. */
async function eachFrame(socket: Socket, take: (frame: Buffer) => Promise<void>): Promise<void> {
  let held: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      while (held.length >= 4 && held.length >= 4 + held.readInt32BE(0)) {
        const end = 4 + held.readInt32BE(0);
        await take(Buffer.from(held.subarray(0, end)));
        held = held.subarray(end);
      }
    }
  } catch {
    socket.destroy();
  }
}
