import { asTabletopicError, TabletopicError } from '../errors.ts';
import type { LaneState } from './lanes.ts';
import type { ClusterMetadata, MetadataAnswer } from './metadata.ts';
import type { OffsetReader } from './offsets.ts';
import type { Lane } from './source.ts';

/** Metadata refreshes that may miss a topic before its lanes stop: a new topic needs a moment to be known everywhere. */
const missingBound = 5;

/**
 * Why an offset is not in the log: the broker says only that it is not, so its ends are asked for (KIP-320 has the
 * cases). Null when it lies between them by now (a replica that lags behind had answered), or when nobody answers.
 */
export async function rangeFailure(
  offsets: OffsetReader,
  lane: Lane,
  requested: number,
): Promise<TabletopicError | null> {
  const { topic, partition } = lane;
  let ends: number[];
  try {
    const queries = (['earliest', 'latest'] as const).map((at) => ({ topic, partition, at }));
    ends = await offsets.list(queries, false);
  } catch (error) {
    const failure = asTabletopicError(error);
    return failure.policy === 'retry' ? null : failure;
  }
  const [logStart, logEnd] = ends as [number, number];
  if (requested < logStart) {
    const message = `topic ${topic}/${partition}: offsets ${requested} to ${logStart - 1} were deleted before they were read`;
    return new TabletopicError('KAFKA_OFFSETS_DELETED', message, { where: { topic, partition, requested, logStart } });
  }
  if (requested > logEnd) {
    const message = `topic ${topic}/${partition}: offset ${requested} was reached, but the log ends at ${logEnd}`;
    return new TabletopicError('KAFKA_LOG_TRUNCATED', message, { where: { topic, partition, requested, logEnd } });
  }
  return null;
}

/**
 * What a metadata answer means for a lane: why it must stop, or null. `again`: the topic is not known; ask for metadata
 * once more. Keeps the lane's count of answers that missed its topic.
 */
export function topicFailure(
  state: LaneState,
  metadata: ClusterMetadata,
  answer: MetadataAnswer,
): TabletopicError | 'again' | null {
  const { topic, partition } = state.lane;
  const where = { topic, partition };
  if (answer.refused.has(topic)) {
    const message = `topic ${topic}: this user may not read it (ACLs DESCRIBE and READ)`;
    return new TabletopicError('KAFKA_AUTH', message, { where });
  }
  const known = metadata.topic(topic);
  if (known === undefined || known.partitions.length <= partition) {
    if (++state.missing < missingBound) return 'again';
    const what = known === undefined ? 'it does not exist' : `it has no partition ${partition}`;
    return new TabletopicError('KAFKA_TOPIC_MISSING', `topic ${topic}: ${what}`, { where });
  }
  state.missing = 0;
  if (state.topicId !== null && state.topicId !== known.id) {
    const message = `topic ${topic} was made anew: its id was ${state.topicId} and is ${known.id}`;
    return new TabletopicError('KAFKA_TOPIC_CHANGED', message, { where });
  }
  state.topicId = known.id;
  return null;
}
