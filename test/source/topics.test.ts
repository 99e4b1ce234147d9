import { expect, test } from 'vitest';
import { parseAddress } from '../../src/source/connection.ts';
import { fingerprint, Subscription } from '../../src/source/topics.ts';

const topic = (name: string, set: { id?: string; internal?: boolean; partitions?: number } = {}) => ({
  name,
  id: set.id ?? 'id',
  internal: set.internal ?? false,
  partitions: Array.from({ length: set.partitions ?? 1 }, () => ({ leader: 1, leaderEpoch: 0 })),
});

test('topics are taken by name and by pattern, internal ones by name only, with any flags of the pattern', () => {
  const subscription = new Subscription(['__consumer_offsets', 'gone'], [/^shop\./g, /offsets/]);
  const all = [topic('shop.b'), topic('shop.a'), topic('other'), topic('__consumer_offsets', { internal: true })];
  for (let i = 0; i < 3; i++) {
    expect(subscription.select(all).map((t) => t.name)).toEqual(['__consumer_offsets', 'shop.a', 'shop.b']);
  }
  expect(new Subscription([], [/offsets/]).select(all)).toEqual([]);
});

test('a change is another id, another number of partitions or another topic; not another leader', () => {
  const before = fingerprint([topic('a')]);
  expect(fingerprint([topic('a', { id: 'other' })])).not.toBe(before);
  expect(fingerprint([topic('a', { partitions: 2 })])).not.toBe(before);
  expect(fingerprint([topic('a'), topic('b')])).not.toBe(before);
  expect(fingerprint([{ ...topic('a'), partitions: [{ leader: 2, leaderEpoch: 9 }] }])).toBe(before);
});

test('addresses', () => {
  expect(parseAddress('kafka:9093')).toEqual({ host: 'kafka', port: 9093 });
  expect(parseAddress('kafka')).toEqual({ host: 'kafka', port: 9092 });
  expect(parseAddress('[::1]:9094')).toEqual({ host: '::1', port: 9094 });
  for (const bad of ['', 'a:b', 'kafka://x:1', 'a:1,b:2']) {
    expect(() => parseAddress(bad)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  }
});
