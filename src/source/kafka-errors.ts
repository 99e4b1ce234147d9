import { TabletopicError } from '../errors.ts';

/** Kafka protocol error codes that the source tells apart (Kafka protocol guide, "Error Codes"). */
export const KafkaCode = {
  OFFSET_OUT_OF_RANGE: 1,
  CORRUPT_MESSAGE: 2,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  LEADER_NOT_AVAILABLE: 5,
  NOT_LEADER_OR_FOLLOWER: 6,
  REQUEST_TIMED_OUT: 7,
  COORDINATOR_LOAD_IN_PROGRESS: 14,
  COORDINATOR_NOT_AVAILABLE: 15,
  NOT_COORDINATOR: 16,
  ILLEGAL_GENERATION: 22,
  INCONSISTENT_GROUP_PROTOCOL: 23,
  UNKNOWN_MEMBER_ID: 25,
  INVALID_SESSION_TIMEOUT: 26,
  REBALANCE_IN_PROGRESS: 27,
  TOPIC_AUTHORIZATION_FAILED: 29,
  GROUP_AUTHORIZATION_FAILED: 30,
  CLUSTER_AUTHORIZATION_FAILED: 31,
  UNSUPPORTED_SASL_MECHANISM: 33,
  UNSUPPORTED_VERSION: 35,
  INVALID_REQUEST: 42,
  SASL_AUTHENTICATION_FAILED: 58,
  FENCED_LEADER_EPOCH: 74,
  UNKNOWN_LEADER_EPOCH: 75,
  MEMBER_ID_REQUIRED: 79,
  FENCED_INSTANCE_ID: 82,
  UNKNOWN_TOPIC_ID: 100,
  FENCED_MEMBER_EPOCH: 110,
  UNRELEASED_INSTANCE_ID: 111,
  STALE_MEMBER_EPOCH: 113,
} as const;

const authCodes: ReadonlySet<number> = new Set([
  KafkaCode.TOPIC_AUTHORIZATION_FAILED,
  KafkaCode.GROUP_AUTHORIZATION_FAILED,
  KafkaCode.CLUSTER_AUTHORIZATION_FAILED,
  KafkaCode.UNSUPPORTED_SASL_MECHANISM,
  KafkaCode.SASL_AUTHENTICATION_FAILED,
]);

/** Codes of Node's TLS verification: the certificate is refused, so trying again cannot help. */
const certificateErrors: ReadonlySet<string> = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

interface ErrorNode {
  readonly code?: unknown;
  readonly apiCode?: unknown;
  readonly apiId?: unknown;
  readonly message?: unknown;
  readonly serverErrorMessage?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
  readonly response?: unknown;
}

/** The error, its causes and the errors it gathers, outermost first. */
function* chain(error: unknown, depth = 0): Generator<ErrorNode> {
  if (typeof error !== 'object' || error === null || depth > 8) return;
  const node = error as ErrorNode;
  yield node;
  if (Array.isArray(node.errors)) for (const inner of node.errors) yield* chain(inner, depth + 1);
  yield* chain(node.cause, depth + 1);
}

/** The first Kafka protocol error code in the error's chain, or null when no broker answered with one. */
export function protocolCode(error: unknown): number | null {
  for (const node of chain(error)) if (typeof node.apiCode === 'number') return node.apiCode;
  return null;
}

/**
 * The codecs of @platformatic/kafka throw when any part of a response carries an error code; the parsed response hangs
 * on the error. This gives the response back, so that good parts of it are used; other errors pass through.
 */
export async function partial<R>(call: Promise<R>): Promise<R> {
  try {
    return await call;
  } catch (error) {
    for (const node of chain(error))
      if (typeof node.response === 'object' && node.response !== null) return node.response as R;
    throw error;
  }
}

/**
 * The error as a coded one: `KAFKA_AUTH` where credentials, certificates or ACLs are refused, else `KAFKA_UNAVAILABLE`.
 * `who` names the broker or the resource, for the message.
 */
export function kafkaError(error: unknown, who: string): TabletopicError {
  if (error instanceof TabletopicError) return error;
  const nodes = [...chain(error)];
  for (const node of nodes) if (node instanceof TabletopicError) return node;
  const message = innermost(nodes);
  const code = protocolCode(error);
  if (code !== null) {
    if (!authCodes.has(code))
      return new TabletopicError('KAFKA_UNAVAILABLE', `${who} answered with an error: ${message}`, { cause: error });
    return new TabletopicError('KAFKA_AUTH', `${who} refuses: ${message}`, { cause: error });
  }
  const certificate = nodes.find((n) => typeof n.code === 'string' && certificateErrors.has(n.code));
  if (certificate !== undefined) {
    return new TabletopicError('KAFKA_AUTH', `${who}: its TLS certificate is refused: ${message}`, {
      hint: 'Set `kafka.tls.ca` to the CA that signed the broker’s certificate, and `kafka.tls.serverName` if the name differs from the host.',
      cause: error,
    });
  }
  if (nodes.some((n) => n.message === 'Broker requires TLS.')) {
    return new TabletopicError('KAFKA_AUTH', `${who} speaks TLS only`, {
      hint: 'Set `kafka.tls` (an empty section uses the system’s CAs).',
      cause: error,
    });
  }
  const refused = nodes.findIndex((n) => n.code === 'PLT_KFK_AUTHENTICATION');
  // A connection that breaks during the handshake is wrapped as an authentication error too: that is no refusal.
  const broken = refused >= 0 && nodes.slice(refused + 1).some((n) => n.code === 'PLT_KFK_NETWORK' || isSocketError(n));
  if (refused >= 0 && !broken)
    return new TabletopicError('KAFKA_AUTH', `${who}: authentication failed: ${message}`, { cause: error });
  return new TabletopicError('KAFKA_UNAVAILABLE', `${who} does not answer: ${message}`, { cause: error });
}

function isSocketError(node: ErrorNode): boolean {
  return typeof node.code === 'string' && /^E[A-Z]+$/.test(node.code);
}

function innermost(nodes: readonly ErrorNode[]): string {
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!;
    if (typeof node.serverErrorMessage === 'string' && node.serverErrorMessage !== '') return node.serverErrorMessage;
    if (typeof node.message === 'string' && node.message !== '')
      return typeof node.apiId === 'string' ? `${node.apiId} (${node.message})` : node.message;
    if (typeof node.code === 'string') return node.code;
  }
  return 'unknown error';
}
