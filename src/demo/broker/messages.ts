import type { ApiDefinition } from './api-definition.ts';
import { groupApis } from './group-messages.ts';
import { logApis } from './log-messages.ts';
import { topicApis } from './topic-messages.ts';
import { transactionApis } from './transaction-messages.ts';

/** All that the broker answers, by key; exactly these versions are announced. */
export const apis: readonly ApiDefinition[] = [...logApis, ...topicApis, ...groupApis, ...transactionApis].toSorted(
  (a, b) => a.key - b.key,
);

/**
 * Announced for Produce, as Kafka does, for clients that derive features from it (KAFKA-18659). Versions below the
 * definition's carry message formats v0 and v1 and are refused.
 */
export const PRODUCE_ANNOUNCED_MIN = 0;
