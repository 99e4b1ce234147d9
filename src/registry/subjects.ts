import type { FormatOptions } from '../config/config.ts';

/**
 * The subject of one part of a topic's records, by Confluent's subject name strategies (TopicNameStrategy,
 * RecordNameStrategy, TopicRecordNameStrategy). Null where only the records themselves say what they are.
 */
export function subjectOf(
  { subject, subjectNameStrategy, message }: FormatOptions,
  part: 'value' | 'key',
  topic: string,
): string | null {
  if (subject !== null) return subject;
  if (subjectNameStrategy === 'topic') return `${topic}-${part}`;
  if (message === null) return null;
  return subjectNameStrategy === 'record' ? message : `${topic}-${message}`;
}

const FULL_NAME = /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/;

/**
 * True for subjects that TopicRecordNameStrategy makes of records of this topic. A record's name has no hyphen, so that
 * those of another topic that begins with the same name (`shop` and `shop-eu`) are told apart; `shop-value` and
 * `shop-key` are of the strategy `topic`.
 */
export function isTopicRecordSubject(subject: string, topic: string): boolean {
  if (!subject.startsWith(`${topic}-`)) return false;
  const name = subject.slice(topic.length + 1);
  return FULL_NAME.test(name) && name !== 'value' && name !== 'key';
}
