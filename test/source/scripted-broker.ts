import { createServer, type Server, type Socket } from 'node:net';
import { Reader, Writer } from '@platformatic/kafka';

export interface ScriptedPartition {
  errorCode?: number;
  highWatermark?: number;
  lastStableOffset?: number;
  diverging?: { epoch: number; endOffset: number };
  records?: Buffer;
}

export interface AskedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly epoch: number;
  readonly offset: number;
  readonly fetchedEpoch: number;
}

/** What a test decides. Everything is asked anew for each request. */
export interface Script {
  /** Leader and leader epoch by partition of each topic. */
  topics(): Record<string, { leader: number; epoch: number }[]>;
  /** The answer for each partition; null: the request is never answered. */
  fetch(
    node: number,
    asked: AskedPartition[],
  ): { throttled?: boolean; partitions: (ScriptedPartition | null)[] } | null;
}

/** Some brokers that answer Metadata and Fetch as a script says: what a real cluster does only when it breaks. */
export class ScriptedCluster {
  readonly #script: Script;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly fetches: { node: number; asked: AskedPartition[] }[] = [];

  constructor(script: Script) {
    this.#script = script;
  }

  static async start(nodes: number, script: Script): Promise<ScriptedCluster> {
    const cluster = new ScriptedCluster(script);
    for (let node = 0; node < nodes; node++) {
      const server = createServer((socket) => cluster.#serve(node, socket));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      cluster.#servers.push(server);
    }
    return cluster;
  }

  get brokers(): string[] {
    return this.#servers.map((s) => `127.0.0.1:${port(s)}`);
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#servers.map((s) => new Promise((resolve) => s.close(resolve))));
  }

  #serve(node: number, socket: Socket): void {
    let pending = Buffer.alloc(0);
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    socket.on('data', (data) => {
      pending = Buffer.concat([pending, data]);
      while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
        const end = 4 + pending.readInt32BE(0);
        this.#answer(node, socket, Reader.from(pending.subarray(4, end)));
        pending = pending.subarray(end);
      }
    });
  }

  #answer(node: number, socket: Socket, r: Reader): void {
    const key = r.readInt16();
    r.readInt16();
    const correlation = r.readInt32();
    r.readNullableString(false);
    r.readTaggedFields();
    const head = Writer.create().appendInt32(correlation).appendTaggedFields();
    if (key === 3) socket.write(this.#metadata(head).prependLength().buffer);
    else if (key === 18) socket.write(versions(correlation).prependLength().buffer);
    else if (key === 1) this.#fetch(node, r, head, (w) => socket.write(w.prependLength().buffer));
    else socket.destroy();
  }

  #metadata(w: Writer): Writer {
    w.appendInt32(0).appendArray(this.#servers, (v, server, nodeId) =>
      v.appendInt32(nodeId).appendString('127.0.0.1').appendInt32(port(server)).appendString(null),
    );
    w.appendString('scripted')
      .appendInt32(0)
      .appendArray(Object.entries(this.#script.topics()), (v, [name, partitions]) => {
        v.appendInt16(0).appendString(name).appendUUID('00000000-0000-4000-8000-000000000001').appendBoolean(false);
        v.appendArray(partitions, (u, { leader, epoch }, index) => {
          u.appendInt16(0).appendInt32(index).appendInt32(leader).appendInt32(epoch);
          for (let i = 0; i < 3; i++) u.appendArray([leader], (x, n) => x.appendInt32(n), true, false);
        });
        v.appendInt32(0);
      });
    return w.appendTaggedFields();
  }

  #fetch(node: number, r: Reader, w: Writer, send: (w: Writer) => void): void {
    r.skip(4 + 4 + 4 + 4 + 1 + 4 + 4);
    const asked: AskedPartition[] = [];
    r.readArray((t) => {
      const topic = t.readString();
      t.readArray((p) => {
        const [partition, epoch, offset, fetchedEpoch] = [
          p.readInt32(),
          p.readInt32(),
          Number(p.readInt64()),
          p.readInt32(),
        ];
        p.skip(12);
        asked.push({ topic, partition, epoch, offset, fetchedEpoch });
      });
    });
    this.fetches.push({ node, asked });
    const answer = this.#script.fetch(node, asked);
    if (answer === null) return;
    w.appendInt32(answer.throttled === true ? 100 : 0)
      .appendInt16(0)
      .appendInt32(0);
    const given = asked.flatMap((a, i) => (answer.partitions[i] ? [[a, answer.partitions[i]] as const] : []));
    w.appendArray(given, (v, [a, p]) => {
      v.appendString(a.topic).appendArray(
        [p],
        (u) => {
          const end = p.highWatermark ?? 0;
          u.appendInt32(a.partition)
            .appendInt16(p.errorCode ?? 0)
            .appendInt64(BigInt(end))
            .appendInt64(BigInt(p.lastStableOffset ?? end))
            .appendInt64(0n);
          u.appendArray(null, () => {})
            .appendInt32(-1)
            .appendBytes(p.records ?? Buffer.alloc(0));
          if (p.diverging === undefined) u.appendTaggedFields();
          else
            u.appendUnsignedVarInt(1)
              .appendUnsignedVarInt(0)
              .appendUnsignedVarInt(13)
              .appendInt32(p.diverging.epoch)
              .appendInt64(BigInt(p.diverging.endOffset))
              .appendTaggedFields();
        },
        true,
        false,
      );
    });
    // An empty answer is held back for a moment, as a long poll is.
    const empty = given.every(([, p]) => p.records === undefined && p.errorCode === undefined);
    setTimeout(() => send(w.appendTaggedFields()), empty ? 20 : 0);
  }
}

/** Fetch up to version 12, by topic names. The header of this answer has no tagged fields (KIP-511). */
function versions(correlation: number): Writer {
  const head = Writer.create().appendInt32(correlation).appendInt16(0);
  return head
    .appendArray([[1, 4, 12]], (w, [key, min, max]) => w.appendInt16(key!).appendInt16(min!).appendInt16(max!))
    .appendInt32(0)
    .appendTaggedFields();
}

function port(server: Server): number {
  return (server.address() as { port: number }).port;
}
