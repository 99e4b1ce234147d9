import { TabletopicError } from '../errors.ts';
import { scanBatches } from './batch-scan.ts';
import type { FetchedPartition } from './fetch-codec.ts';
import type { Asked } from './fetch-request.ts';
import { KafkaCode } from './kafka-errors.ts';
import type { FetchedRecords } from './source.ts';

/**
 * What an answer means for a lane:
 * - `records`: hand them on and continue at their `nextOffset`;
 * - `idle`: the lane stands at the end;
 * - `later`: ask again, in the next request (`alone`: for this partition only; `atLeastBytes`: so much of it);
 * - `refresh`: ask again after the metadata was read anew;
 * - `out-of-range`: compare the position with the ends of the log;
 * - `error`: the lane cannot go on.
 */
export type Outcome =
  | { readonly kind: 'records'; readonly records: FetchedRecords; readonly leaderEpoch: number }
  | { readonly kind: 'idle' }
  | { readonly kind: 'later'; readonly alone: boolean; readonly atLeastBytes: number }
  | { readonly kind: 'refresh' }
  | { readonly kind: 'out-of-range' }
  | { readonly kind: 'error'; readonly error: TabletopicError };

export interface AnswerContext {
  readonly fetchedAt: number;
  /** The partition was asked for alone, and the broker did not throttle. */
  readonly certain: boolean;
  /** Nothing came for any partition of the request. */
  readonly nothing: boolean;
}

/**
 * Reads one partition of a fetch response. Pure; the caller moves the lane.
 *
 * Breaks: test/source/fetch-outcome.test.ts, "offsets count as absent only when".
 */
export function judge(asked: Asked, answer: FetchedPartition, context: AnswerContext): Outcome {
  const { topic, partition } = asked.state.lane;
  const where = { topic, partition, requested: asked.offset };
  if (answer.errorCode !== 0) return judgeError(answer.errorCode, where);
  if (answer.diverging !== null) {
    const { epoch, endOffset } = answer.diverging;
    return {
      kind: 'error',
      error: new TabletopicError(
        'KAFKA_LOG_TRUNCATED',
        `topic ${topic}/${partition}: records up to offset ${asked.offset} were read, but in the leader’s log epoch ${epoch} ends at ${endOffset}`,
        {
          where: { ...where, divergesAt: endOffset },
        },
      ),
    };
  }
  const scan = scanBatches(answer.records);
  if (scan.magic !== 2) {
    return {
      kind: 'error',
      error: new TabletopicError(
        'KAFKA_CORRUPT_BATCH',
        `topic ${topic}/${partition}: message format v${scan.magic} at or after offset ${asked.offset} is not supported`,
        {
          hint: 'Records from before Kafka 0.11 must be written anew, or skipped by `startFrom`.',
          where,
        },
      ),
    };
  }
  if (scan.nextOffset > asked.offset) {
    return {
      kind: 'records',
      leaderEpoch: scan.leaderEpoch,
      records: fetched(asked, answer, context, answer.records, scan.byteLength, scan.nextOffset, scan.leaderEpoch),
    };
  }
  if (scan.cutOff > 0) return { kind: 'later', alone: false, atLeastBytes: scan.cutOff };
  const end = answer.lastStableOffset >= 0 ? answer.lastStableOffset : answer.highWatermark;
  if (asked.offset >= end) return { kind: 'idle' };
  // The broker took its end offset before it read: alone, an empty answer says that no batch is left below that offset
  // (compaction or aborted segments may leave such a tail; an open transaction holds the last stable offset back).
  if (context.certain)
    return {
      kind: 'records',
      leaderEpoch: -1,
      records: fetched(asked, answer, context, new ArrayBuffer(0), 0, end, -1),
    };
  return { kind: 'later', alone: asked.first || context.nothing, atLeastBytes: 0 };
}

function fetched(
  asked: Asked,
  answer: FetchedPartition,
  context: AnswerContext,
  buffer: ArrayBuffer,
  byteLength: number,
  nextOffset: number,
  leaderEpoch: number,
): FetchedRecords {
  const { highWatermark, lastStableOffset, logStartOffset, aborted } = answer;
  return {
    lane: asked.state.lane,
    generation: asked.generation,
    buffer,
    byteOffset: 0,
    byteLength,
    fetchOffset: asked.offset,
    nextOffset,
    highWatermark,
    lastStableOffset: lastStableOffset >= 0 ? lastStableOffset : highWatermark,
    logStartOffset,
    leaderEpoch,
    aborted,
    fetchedAt: context.fetchedAt,
  };
}

function judgeError(code: number, where: { topic: string; partition: number; requested: number }): Outcome {
  const name = `topic ${where.topic}/${where.partition}`;
  switch (code) {
    case KafkaCode.OFFSET_OUT_OF_RANGE:
      return { kind: 'out-of-range' };
    case KafkaCode.TOPIC_AUTHORIZATION_FAILED:
      return {
        kind: 'error',
        error: new TabletopicError('KAFKA_AUTH', `${name}: this user may not read it (ACL READ on the topic)`, {
          where,
        }),
      };
    case KafkaCode.CORRUPT_MESSAGE:
      return {
        kind: 'error',
        error: new TabletopicError(
          'KAFKA_CORRUPT_BATCH',
          `${name}: the broker finds the batch at offset ${where.requested} damaged`,
          { where },
        ),
      };
    default:
      // Leaders that moved, epochs that are ahead or behind, topics that this broker does not know (yet), and errors of
      // the broker itself: newer metadata says what to do next.
      return { kind: 'refresh' };
  }
}
