/** Error codes of the Kafka protocol (kafka.apache.org/protocol#protocol_error_codes) that the broker answers with. */
export const KafkaError = {
  NONE: 0,
  OFFSET_OUT_OF_RANGE: 1,
  CORRUPT_MESSAGE: 2,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  INVALID_TOPIC: 17,
  ILLEGAL_GENERATION: 22,
  INCONSISTENT_GROUP_PROTOCOL: 23,
  INVALID_GROUP_ID: 24,
  UNKNOWN_MEMBER_ID: 25,
  INVALID_SESSION_TIMEOUT: 26,
  REBALANCE_IN_PROGRESS: 27,
  UNSUPPORTED_VERSION: 35,
  TOPIC_ALREADY_EXISTS: 36,
  INVALID_PARTITIONS: 37,
  INVALID_REQUEST: 42,
  UNSUPPORTED_FOR_MESSAGE_FORMAT: 43,
  OUT_OF_ORDER_SEQUENCE_NUMBER: 45,
  DUPLICATE_SEQUENCE_NUMBER: 46,
  INVALID_PRODUCER_EPOCH: 47,
  INVALID_TXN_STATE: 48,
  INVALID_PRODUCER_ID_MAPPING: 49,
  NON_EMPTY_GROUP: 68,
  GROUP_ID_NOT_FOUND: 69,
  FENCED_LEADER_EPOCH: 74,
  UNKNOWN_LEADER_EPOCH: 75,
  MEMBER_ID_REQUIRED: 79,
  FENCED_INSTANCE_ID: 82,
  INVALID_RECORD: 87,
  PRODUCER_FENCED: 90,
  UNKNOWN_TOPIC_ID: 100,
} as const;

/** A request, or its part about one partition, is answered with an error code. */
export class BrokerError extends Error {
  readonly code: number;

  constructor(name: keyof typeof KafkaError, message: string = name) {
    super(message);
    this.code = KafkaError[name];
  }
}

/** Runs the body; the code of what it threw, with what else the answer needs then. */
export function orCode<T extends object>(body: () => T, failed: () => T): T & { errorCode: number } {
  try {
    return { errorCode: 0, ...body() };
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    return { ...failed(), errorCode: error.code };
  }
}
