import { EventEmitter } from 'node:events';
import { connect as connectPlain, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import {
  apiVersionsV3,
  type Connection,
  type ConnectionOptions,
  NetworkError,
  Reader,
  type ResponseParser,
  TimeoutError,
  Writer,
} from '@platformatic/kafka';
import type { Clock } from '../ports.ts';
import {
  createFetchRequest,
  fetchKey,
  type FetchRequest,
  type FetchResponse,
  parseFetchResponse,
} from './fetch-codec.ts';
import { FrameCursor, type Parsing } from './frame-cursor.ts';
import { partial } from './kafka-errors.ts';
import { login } from './sasl-login.ts';
import { within } from './waiting.ts';

/** Most bytes that one read takes from the socket where it is not known yet to whom they belong. */
const READ_BYTES = 256 << 10;
/** Least room for records into which the socket is read at once: the end of them comes with what follows. */
const LANDING_BYTES = 64 << 10;
/** Part of a session's life after which a connection is not used any more (KIP-368): the broker closes it at the end. */
const SESSION_SHARE = 0.8;

interface Pending {
  readonly parsing: Parsing<unknown>;
  /** Bytes that it needs to go on. */
  wanted: number;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/**
 * A connection that fetches, one request at a time. Records are read from the socket into the buffers that workers get,
 * everything else (under TLS, records too) into one piece of memory that is used again: a response is never held twice, nor
 * in thousands of chunks, as it is by the client library's connection, whose codecs are used for everything but the records.
 */
export class FetchConnection extends EventEmitter {
  socket: Socket | undefined;
  readonly #clientId: string;
  readonly #options: ConnectionOptions;
  readonly #clock: Clock;
  readonly #cursor = new FrameCursor();
  readonly #chunk = Buffer.allocUnsafeSlow(READ_BYTES);
  /** Where the socket is read into now, if those are records. */
  #landing: Buffer | null = null;
  #correlationId = 0;
  #pending: Pending | null = null;
  #failure: Error | null = null;
  #highestFetch = 0;
  #usableUntil = Infinity;

  constructor(clientId: string, options: ConnectionOptions, clock: Clock) {
    super();
    this.#clientId = clientId;
    this.#options = options;
    this.#clock = clock;
  }

  /** Connects and logs in. Errors are those of the client library. */
  async connect(host: string, port: number): Promise<void> {
    try {
      await this.#open(host, port);
    } catch (error) {
      throw new NetworkError(`Connection to ${host}:${port} failed.`, { cause: error as Error });
    }
  }

  /** Whether the broker takes topic ids (Kafka 3.1 and later). */
  get takesIds(): boolean {
    return this.#highestFetch >= 13;
  }

  /** False: its session ends soon, or it is closed. */
  get isUsable(): boolean {
    return this.#failure === null && this.#clock.monotonic() < this.#usableUntil;
  }

  /** @param byId asks by topic ids; each partition has one. */
  async fetch(request: FetchRequest, byId: boolean): Promise<FetchResponse> {
    const parse = (cursor: FrameCursor): Parsing<FetchResponse> => parseFetchResponse(cursor, byId);
    return await this.#request(fetchKey, byId ? 13 : 12, createFetchRequest(request, byId), true, true, parse);
  }

  /** Closes without waiting for the other side. */
  close(callback: () => void = () => {}): void {
    if (this.socket === undefined || this.socket.closed) callback();
    else this.socket.once('close', callback);
    this.#fail(new NetworkError('Connection closed'));
  }

  /** What the client library's API functions call of a connection. */
  send<T>(
    key: number,
    version: number,
    payload: () => Writer | Promise<Writer>,
    parser: ResponseParser<T>,
    taggedRequest: boolean,
    taggedResponse: boolean,
    callback: (error: Error | null, response?: T) => void,
  ): void {
    const id = this.#correlationId + 1;
    function* parse(cursor: FrameCursor): Parsing<T | Promise<T>> {
      return parser(id, key, version, Reader.from(yield* cursor.fill(cursor.left)));
    }
    const answer = async (): Promise<T> =>
      await this.#request(key, version, await payload(), taggedRequest, taggedResponse, parse);
    void this.#tell(answer(), callback);
  }

  async #tell<T>(answer: Promise<T>, callback: (error: Error | null, response?: T) => void): Promise<void> {
    const [settled] = await Promise.allSettled([answer]);
    try {
      if (settled.status === 'fulfilled') callback(null, settled.value);
      else callback(settled.reason as Error);
    } catch (error) {
      // A callback that throws waits for no answer any more.
      this.#fail(error as Error);
    }
  }

  async #open(host: string, port: number): Promise<void> {
    const { sasl, connectTimeout } = this.#options;
    const failed = Promise.withResolvers<never>();
    failed.promise.catch(() => {});
    const connected = Promise.withResolvers<void>();
    const socket = this.#socket(host, port, () => connected.resolve());
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('error', (cause) => {
      this.#fail(new NetworkError('Connection error', { cause }));
      failed.reject(cause);
    });
    socket.on('close', () => {
      this.#fail(new NetworkError('Connection closed'));
      failed.reject(this.#failure!);
      this.emit('close');
    });
    if (!(await within(this.#clock, connectTimeout!, Promise.race([connected.promise, failed.promise]))))
      throw new TimeoutError('Connection timed out.');
    const connection = this as unknown as Connection;
    const { apiKeys } = await partial(apiVersionsV3.api.async(connection, 'tabletopic', '1'));
    this.#highestFetch = apiKeys.find((api) => api.apiKey === fetchKey)?.maxVersion ?? 0;
    if (sasl === undefined) return;
    const started = this.#clock.monotonic();
    const lifetime = await Promise.race([login(connection, sasl, apiKeys), failed.promise]);
    if (lifetime > 0) this.#usableUntil = started + lifetime * SESSION_SHARE;
  }

  #socket(host: string, port: number, onConnect: () => void): Socket {
    const { tls, tlsServerName: servername } = this.#options;
    const onread: OnReadOpts = {
      buffer: tls === undefined ? () => (this.#landing = this.#cursor.room(LANDING_BYTES)) ?? this.#chunk : this.#chunk,
      callback: (count) => this.#read(count),
    };
    if (tls === undefined) return connectPlain({ host, port, onread }, onConnect);
    // Node reads a socket under TLS as any other, though its types do not say so.
    const options = { ...tls, host, port, onread, ...(typeof servername === 'string' ? { servername } : {}) };
    return connectTls(options, onConnect);
  }

  async #request<T>(
    key: number,
    version: number,
    payload: Writer,
    taggedRequest: boolean,
    taggedResponse: boolean,
    parse: (cursor: FrameCursor) => Parsing<T | Promise<T>>,
  ): Promise<T> {
    if (this.#failure !== null) throw this.#failure;
    if (this.#pending !== null) throw new NetworkError('The request before has no answer yet');
    const id = (this.#correlationId = (this.#correlationId + 1) & 0x7fffffff);
    const writer = Writer.create()
      .appendInt16(key)
      .appendInt16(version)
      .appendInt32(id)
      .appendString(this.#clientId, false);
    if (taggedRequest) writer.appendTaggedFields();
    writer.appendFrom(payload).prependLength();
    const answer = new Promise<T>((resolve, reject) => {
      const parsing = parseResponse(this.#cursor, id, taggedResponse, parse);
      this.#pending = { parsing, wanted: 0, resolve, reject };
    });
    this.socket!.write(writer.buffer);
    if (!(await within(this.#clock, this.#options.requestTimeout!, answer)))
      this.#fail(new TimeoutError('Request timed out'));
    return await answer;
  }

  #read(count: number): boolean {
    const cursor = this.#cursor;
    if (this.#landing === null) cursor.push(this.#chunk.subarray(0, count));
    else cursor.landed(count);
    try {
      while (this.#pending !== null && cursor.has(this.#pending.wanted)) {
        const { parsing, resolve } = this.#pending;
        const { done, value } = parsing.next();
        if (done !== true) {
          this.#pending.wanted = value;
          continue;
        }
        this.#pending = null;
        resolve(value);
      }
      if (this.#pending === null && cursor.arrived > 0) throw new NetworkError('An answer that nobody asked for');
      cursor.keep();
    } catch (error) {
      this.#fail(error as Error);
    }
    return true;
  }

  /** What is wrong with a stream once is wrong for good. */
  #fail(error: Error): void {
    this.#failure ??= error;
    const pending = this.#pending;
    this.#pending = null;
    pending?.reject(this.#failure);
    this.socket?.destroy();
  }
}

/** Length, header (its correlation id names the request) and body of a response. */
function* parseResponse<T>(
  cursor: FrameCursor,
  id: number,
  tagged: boolean,
  parse: (cursor: FrameCursor) => Parsing<T>,
): Parsing<T> {
  cursor.frame(4);
  yield 4;
  cursor.frame(cursor.int32());
  yield 4;
  const answered = cursor.int32();
  if (answered !== id) throw new RangeError(`an answer to request ${answered} instead of ${id}`);
  if (tagged) yield* cursor.tagged();
  const value = yield* parse(cursor);
  if (cursor.left > 0) throw new RangeError(`${cursor.left} bytes after the response`);
  return value;
}
