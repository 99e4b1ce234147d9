import { expect, test } from 'vitest';
import type { FormatOptions } from '../../src/config/config.ts';
import { isTopicRecordSubject, subjectOf } from '../../src/registry/subjects.ts';

function format(over: Partial<FormatOptions>): FormatOptions {
  return {
    format: 'avro',
    schema: 'id',
    subject: null,
    subjectNameStrategy: 'topic',
    message: null,
    refresh: 1000,
    ...over,
  };
}

test('subjects are named as producers name them', () => {
  const message = 'com.x.Order';
  expect(subjectOf(format({}), 'value', 't')).toBe('t-value');
  expect(subjectOf(format({}), 'key', 't')).toBe('t-key');
  expect(subjectOf(format({ subjectNameStrategy: 'record', message }), 'value', 't')).toBe('com.x.Order');
  expect(subjectOf(format({ subjectNameStrategy: 'topic-record', message }), 'key', 't')).toBe('t-com.x.Order');
  expect(subjectOf(format({ subjectNameStrategy: 'record' }), 'value', 't')).toBe(null);
  expect(subjectOf(format({ subject: 'mine', subjectNameStrategy: 'record', message }), 'value', 't')).toBe('mine');
});

test('the records of a topic are told from those of a longer name, and from the subjects of the strategy topic', () => {
  const subjects = [
    'shop-Order',
    'shop-com.x.Order',
    'shop-value',
    'shop-key',
    'shop-eu-com.x.Order',
    'shop-',
    'shops-A',
  ];
  expect(subjects.filter((subject) => isTopicRecordSubject(subject, 'shop'))).toEqual([
    'shop-Order',
    'shop-com.x.Order',
  ]);
});
