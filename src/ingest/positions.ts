import type { OffsetsMap, TopicOffsets } from '../commit/commit.ts';
import type { StartFrom } from '../config/config.ts';
import { TabletopicError } from '../errors.ts';
import type { OffsetQuery, Source, TopicDescription, TopicPartition } from '../source/source.ts';

/** Where a table begins that never held offsets: `startFrom`, applied once (DESIGN §2). */
export async function firstOffsets(
  source: Source,
  topics: readonly TopicDescription[],
  clusterId: string,
  startFrom: StartFrom,
): Promise<OffsetsMap> {
  const partitions = topics.flatMap((topic) =>
    topic.partitions.map(({ partition }) => ({ topic: topic.name, partition })),
  );
  const offsets = await source.listOffsets(partitions.map((partition) => ({ ...partition, at: queryOf(startFrom) })));
  const map: Record<string, TopicOffsets> = {};
  for (const topic of topics) {
    const size = Math.max(-1, ...topic.partitions.map(({ partition }) => partition)) + 1;
    const first = new Array<number>(size).fill(0);
    partitions.forEach(({ topic: name, partition }, i) => {
      if (name !== topic.name) return;
      const asked =
        typeof startFrom === 'object' && 'offsets' in startFrom ? startFrom.offsets[String(partition)] : undefined;
      first[partition] = asked ?? offsets[i]!;
    });
    map[topic.name] = {
      id: topic.id,
      cluster: clusterId,
      first,
      next: [...first],
      epoch: first.map(() => -1),
      gaps: [],
    };
  }
  return map;
}

function queryOf(startFrom: StartFrom): OffsetQuery {
  if (startFrom === 'earliest' || startFrom === 'latest') return startFrom;
  return 'timestamp' in startFrom ? { timestamp: startFrom.timestamp } : 'earliest';
}

/**
 * Checks that the log still holds what comes after `start`, and that it is the log which the table was fed from.
 * Returns where to read: `start`, or the log start where retention took records and `onMissing` is `skip`. Rejects with
 * `KAFKA_OFFSETS_DELETED` and `KAFKA_LOG_TRUNCATED` (an offset above the end, or a diverged leader epoch: KIP-320).
 *
 * Breaks: test/ingest/parts.test.ts, "the log must still hold what comes next".
 */
export async function checkPosition(
  source: Source,
  partition: TopicPartition,
  start: number,
  epoch: number,
  onMissing: 'stop' | 'skip',
): Promise<number> {
  const [earliest, latest] = await source.listOffsets([
    { ...partition, at: 'earliest' },
    { ...partition, at: 'latest' },
  ]);
  const where = {
    topic: partition.topic,
    partition: partition.partition,
    offset: start,
    logStart: earliest!,
    logEnd: latest!,
  };
  if (start < earliest!) {
    if (onMissing === 'skip') return earliest!;
    throw new TabletopicError(
      'KAFKA_OFFSETS_DELETED',
      `${partition.topic}-${partition.partition}: the table stands at offset ${start}, the log begins at ${earliest!}`,
      { where },
    );
  }
  if (start > latest!) {
    throw new TabletopicError(
      'KAFKA_LOG_TRUNCATED',
      `${partition.topic}-${partition.partition}: the table stands at offset ${start}, the log ends at ${latest!}`,
      { where },
    );
  }
  if (epoch >= 0) {
    const end = await source.endOffsetForEpoch(partition, epoch);
    if (end >= 0 && end < start) {
      throw new TabletopicError(
        'KAFKA_LOG_TRUNCATED',
        `${partition.topic}-${partition.partition}: the table stands at offset ${start} of leader epoch ${epoch}, which ends at ${end} in the log`,
        { where },
      );
    }
  }
  return start;
}
