import { createServer, type Server, type Socket } from 'node:net';
import { Writer } from '@platformatic/kafka';
import { afterEach, expect, test } from 'vitest';
import { systemPorts } from '../../src/ports.ts';
import { FetchConnection } from '../../src/source/fetch-connection.ts';
import { kafkaError } from '../../src/source/kafka-errors.ts';

const open: { close(): unknown }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

const request = { maxWait: 10, minBytes: 1, maxBytes: 1 << 20, readCommitted: false, partitions: [] };

/** A connection to a broker that tells its versions and then answers each fetch by `answer`. */
async function connected(answer: (socket: Socket, id: number) => void): Promise<FetchConnection> {
  const server: Server = createServer((socket) => {
    open.push({ close: () => socket.destroy() });
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const id = bytes.readInt32BE(8);
      if (bytes.readInt16BE(4) === 18) socket.write(versions(id));
      else answer(socket, id);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const connection = new FetchConnection(
    'test',
    { connectTimeout: 5000, requestTimeout: 500, tlsServerName: false },
    systemPorts.clock,
  );
  open.push(server, connection);
  await connection.connect('127.0.0.1', (server.address() as { port: number }).port);
  return connection;
}

function versions(id: number): Buffer {
  const w = Writer.create().appendInt32(id).appendInt16(0);
  w.appendArray([1], (v, key) => v.appendInt16(key).appendInt16(0).appendInt16(12));
  return w.appendInt32(0).appendTaggedFields().prependLength().buffer;
}

/** An answer of one topic with these records of its partitions. */
function fetched(id: number, records: Buffer[] = []): Buffer {
  const w = Writer.create().appendInt32(id).appendTaggedFields().appendInt32(0).appendInt16(0).appendInt32(0);
  return w
    .appendArray(records.length > 0 ? ['orders'] : [], (topic, name) => {
      topic.appendString(name).appendArray(records, (v, bytes, partition) => {
        v.appendInt32(partition).appendInt16(0).appendInt64(9n).appendInt64(9n).appendInt64(0n);
        v.appendArray([], () => {})
          .appendInt32(-1)
          .appendBytes(bytes);
      });
    })
    .appendTaggedFields()
    .prependLength().buffer;
}

/** Bytes of which none can be mistaken for one nearby. */
function numbered(length: number, seed: number): Buffer {
  const words = Uint32Array.from({ length: Math.ceil(length / 4) }, (_, i) => Math.imul(i + seed, 2_654_435_761));
  return Buffer.from(words.buffer, 0, length);
}

test('answers come one after another, however they are cut', async () => {
  const connection = await connected((socket, id) => {
    socket.setNoDelay(true);
    for (const byte of fetched(id)) socket.write(Buffer.from([byte]));
  });
  expect([connection.takesIds, connection.isUsable]).toEqual([false, true]);
  for (let i = 0; i < 3; i++)
    expect(await connection.fetch(request, false)).toEqual({ throttled: false, errorCode: 0, partitions: [] });
});

test('records come whole into buffers that others take away, however they are cut', async () => {
  const pieces = [1, 70_000, 3, 300_000, 1_000_000];
  const sizes = [(1 << 20) + 5, 3, 400_000, 65_536];
  const connection = await connected((socket, id) => {
    const bytes = fetched(id, sizes.map(numbered));
    const send = (at: number, turn: number): void => {
      const end = at + pieces[turn % pieces.length]!;
      socket.write(bytes.subarray(at, end));
      if (end < bytes.length) setTimeout(() => send(end, turn + 1), 2);
    };
    send(0, id);
  });
  for (let i = 0; i < 5; i++) {
    const { partitions } = await connection.fetch(request, false);
    // As it is sent to a worker: the memory is no longer here.
    const taken = partitions.map(({ records }) => Buffer.from(records.transfer()));
    expect(taken.map((bytes, p) => bytes.equals(numbered(sizes[p]!, p)))).toEqual([true, true, true, true]);
    expect(taken.map(({ length }) => length)).toEqual(sizes);
  }
});

const faults: Record<string, [(socket: Socket, id: number) => void, RegExp]> = {
  'an answer to another request': [(socket, id) => socket.write(fetched(id + 1)), /answer to request/],
  'an answer that is longer than it says': [
    (socket, id) => socket.write(Buffer.concat([fetched(id), Buffer.from([1])])),
    /nobody asked for/,
  ],
  'an answer with more in it than a fetch has': [
    (socket, id) => {
      const bytes = Buffer.concat([fetched(id), Buffer.from([1])]);
      bytes.writeInt32BE(bytes.length - 4, 0);
      socket.write(bytes);
    },
    /1 bytes after the response/,
  ],
  'a connection that ends within an answer': [
    (socket, id) => socket.end(fetched(id).subarray(0, 9)),
    /Connection closed/,
  ],
  'no answer': [() => {}, /Request timed out/],
};

for (const [name, [answer, message]] of Object.entries(faults))
  test(`${name} ends the connection with an error of the broker`, async () => {
    const connection = await connected(answer);
    let closed = false;
    connection.once('close', () => (closed = true));
    const first = await connection.fetch(request, false).catch((error: unknown) => error);
    // What came whole before the fault is whole.
    const error = first instanceof Error ? first : await connection.fetch(request, false).catch((e: unknown) => e);
    expect(kafkaError(error, 'broker 1')).toMatchObject({
      code: 'KAFKA_UNAVAILABLE',
      message: expect.stringMatching(message),
    });
    expect(connection.isUsable).toBe(false);
    await expect.poll(() => closed).toBe(true);
  });
