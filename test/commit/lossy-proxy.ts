import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

/** What happens to a commit on its way: its answer is cut off after the server gave it, or it never arrives. */
export type Loss = 'answer' | 'request';

/** A TCP proxy before a catalog that loses requests and answers of table commits (`POST …/tables/…`), as told. */
export class LossyProxy {
  readonly #target: URL;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Decides for each commit. */
  next: () => Loss | null = () => null;
  lost = { answer: 0, request: 0 };

  constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((client) => this.#serve(client));
  }

  static async open(target: string): Promise<LossyProxy> {
    const proxy = new LossyProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get uri(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(client: Socket): void {
    const upstream = connect(Number(this.#target.port), this.#target.hostname);
    let loss: Loss | null = null;
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (bytes) => {
      if (/^POST \S+\/tables\/\S+ HTTP/.test(bytes.toString('latin1'))) loss = this.next();
      if (loss === 'request') {
        this.lost.request++;
        client.destroy();
      } else upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      if (loss === 'answer') {
        this.lost.answer++;
        client.destroy();
      } else client.write(bytes);
    });
  }
}
