import { parseDefinition } from './message-codec.ts';

/**
 * A request that the broker answers, as in Kafka's message definitions (clients/src/main/resources/common/message).
 * Tagged fields are skipped when read and never written.
 */
export interface ApiDefinition {
  readonly name: string;
  readonly key: number;
  readonly min: number;
  readonly max: number;
  /** First version with compact lengths and tagged fields (KIP-482). */
  readonly flexible: number;
  readonly request: ReturnType<typeof parseDefinition>;
  readonly response: ReturnType<typeof parseDefinition>;
}

export function api(
  name: string,
  key: number,
  min: number,
  max: number,
  flexible: number,
  request: string,
  response: string,
): ApiDefinition {
  return { name, key, min, max, flexible, request: parseDefinition(request), response: parseDefinition(response) };
}

/** Response of a commit of offsets: an error for each partition. */
export const topicErrors = `
  throttleTimeMs int32 1+
  topics []
    name string
    partitions []
      partitionIndex int32
      errorCode int16`;
