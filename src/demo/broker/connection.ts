import type { Socket } from 'node:net';
import type { BrokerContext, Handler } from './context.ts';
import { KafkaError } from './error-codes.ts';
import * as groups from './group-handlers.ts';
import * as logs from './log-handlers.ts';
import { readMessage, writeMessage } from './message-codec.ts';
import { apis } from './messages.ts';
import type { ApiDefinition } from './api-definition.ts';
import * as topics from './topic-handlers.ts';
import * as transactions from './transaction-handlers.ts';
import { WireReader, WireWriter } from './wire.ts';

const handlers: Readonly<Record<string, Handler<never>>> = {
  ApiVersions: topics.apiVersions,
  Metadata: topics.metadata,
  CreateTopics: topics.createTopics,
  DeleteTopics: topics.deleteTopics,
  CreatePartitions: topics.createPartitions,
  DescribeConfigs: topics.describeConfigs,
  Produce: logs.produce,
  Fetch: logs.fetch,
  ListOffsets: logs.listOffsets,
  OffsetForLeaderEpoch: logs.offsetForLeaderEpoch,
  DeleteRecords: logs.deleteRecords,
  FindCoordinator: groups.findCoordinator,
  JoinGroup: groups.joinGroup,
  SyncGroup: groups.syncGroup,
  Heartbeat: groups.heartbeat,
  LeaveGroup: groups.leaveGroup,
  OffsetCommit: groups.offsetCommit,
  OffsetFetch: groups.offsetFetch,
  ListGroups: groups.listGroups,
  DescribeGroups: groups.describeGroups,
  DeleteGroups: groups.deleteGroups,
  InitProducerId: transactions.initProducerId,
  AddPartitionsToTxn: transactions.addPartitionsToTxn,
  AddOffsetsToTxn: transactions.addOffsetsToTxn,
  TxnOffsetCommit: transactions.txnOffsetCommit,
  EndTxn: transactions.endTxn,
};

/** Largest request (`socket.request.max.bytes`). */
const MAX_REQUEST_BYTES = 100 << 20;
const apisByKey: ReadonlyMap<number, ApiDefinition> = new Map(apis.map((api) => [api.key, api]));
const API_VERSIONS = apis.find((api) => api.name === 'ApiVersions')!;

/**
 * Serves one connection until it closes. As in Kafka, requests of a connection are answered one after another, so a
 * JoinGroup that waits holds back what was sent after it. A request that cannot be read closes the connection.
 */
export async function serve(socket: Socket, broker: BrokerContext, signal: AbortSignal): Promise<void> {
  for await (const request of frames(socket)) {
    const answer = await answerTo(request, broker, signal);
    if (answer === null) continue;
    const length = Buffer.allocUnsafe(4);
    length.writeInt32BE(answer.reduce((sum, part) => sum + part.length, 0));
    socket.cork();
    socket.write(length);
    for (const part of answer) socket.write(part);
    socket.uncork();
    if (socket.writableNeedDrain) await drained(socket);
  }
}

async function answerTo(bytes: Buffer, broker: BrokerContext, signal: AbortSignal): Promise<Buffer[] | null> {
  const reader = new WireReader(bytes);
  const api = apisByKey.get(reader.int16());
  const version = reader.int16();
  const correlationId = reader.int32();
  const clientId = reader.slice(reader.int16())?.toString() ?? '';
  const writer = new WireWriter();
  writer.int32(correlationId);
  if (!api || version < api.min || version > api.max) {
    if (api !== API_VERSIONS)
      throw new RangeError(`request ${api?.name ?? 'unknown'} version ${version} is not supported`);
    // A client that is newer than the broker learns so in the oldest form (KIP-511).
    writeMessage(api.response, writer, 0, false, {
      errorCode: KafkaError.UNSUPPORTED_VERSION,
      apiKeys: topics.announcedVersions(),
    });
    return writer.take();
  }
  const flexible = version >= api.flexible;
  if (flexible) reader.skipTaggedFields();
  const request = readMessage(api.request, reader, version, flexible);
  const response = await handlers[api.name]!(broker, request as never, { version, clientId, signal });
  if (response === null) return null;
  // The header of an ApiVersions response never has tagged fields: the client does not know yet what the broker speaks.
  if (flexible && api !== API_VERSIONS) writer.unsignedVarint(0);
  writeMessage(api.response, writer, version, flexible, response);
  return writer.take();
}

/** Requests, each without its length. */
async function* frames(socket: Socket): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let size = 0;
  let wanted = 4;
  for await (const part of socket) {
    parts.push(part as Buffer);
    size += (part as Buffer).length;
    while (size >= wanted) {
      const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts, size);
      const length = bytes.readInt32BE(0);
      if (length < 8 || length > MAX_REQUEST_BYTES) throw new RangeError(`request of ${length} bytes`);
      parts = [bytes];
      wanted = length + 4;
      if (size < wanted) break;
      yield bytes.subarray(4, wanted);
      parts = [bytes.subarray(wanted)];
      size -= wanted;
      wanted = 4;
    }
  }
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.on('drain', done);
    socket.on('close', done);
  });
}
