import { deadLetterHeaders } from '../commit/dead-letter-topic.ts';
import type { DeadLetterSink } from '../commit/dead-letter-topic.ts';
import type { Producer } from '../source/producer.ts';

/** Dead letters as records of a Kafka topic: key and value as they were, where and why in the headers. */
export function deadLetterSink(producer: Pick<Producer, 'produce'>, topic: string): DeadLetterSink {
  return {
    topic,
    produce: (rows, table, signal) =>
      producer.produce(
        topic,
        rows.map((row) => ({
          lane: row.partition,
          key: row.key,
          value: row.value,
          headers: deadLetterHeaders(row, table),
        })),
        signal,
      ),
  };
}
