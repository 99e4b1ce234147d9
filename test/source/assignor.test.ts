import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assignCooperatively, type JoinedMember } from '../../src/source/assignor.ts';

type Owned = { topic: string; partition: number };

const member = (memberId: string, topics: string[], owned: Owned[] = [], generation = -1): JoinedMember => ({
  memberId,
  topics,
  owned,
  generation,
});
const partitions = (topic: string, ...numbers: number[]): Owned[] => numbers.map((partition) => ({ topic, partition }));
const key = (p: Owned): string => `${p.topic}/${p.partition}`;

/** Rounds of rebalances until nobody has to give anything up, as the group would go through them. */
function settle(members: JoinedMember[], counts: Map<string, number>): { members: JoinedMember[]; rounds: number } {
  for (let rounds = 1; ; rounds++) {
    const assigned = assignCooperatively(members, counts);
    const owners = new Map<string, string>();
    let revoked = false;
    for (const m of members) {
      const given = new Set(assigned.get(m.memberId)!.map(key));
      revoked ||= m.owned.some((p) => !given.has(key(p)));
      // Nobody is given what another still holds.
      for (const p of given) {
        expect(owners.has(p)).toBe(false);
        owners.set(p, m.memberId);
        expect(members.some((other) => other !== m && other.owned.some((o) => key(o) === p))).toBe(false);
      }
    }
    members = members.map((m) => ({ ...m, owned: assigned.get(m.memberId)!, generation: rounds }));
    if (!revoked) return { members, rounds };
    expect(rounds).toBeLessThan(4);
  }
}

test('a member that joins gets its share only after the others have given it up', () => {
  const counts = new Map([['t', 4]]);
  const a = member('a', ['t'], partitions('t', 0, 1, 2, 3), 1);
  const first = assignCooperatively([a, member('b', ['t'])], counts);
  expect(first.get('a')).toHaveLength(2);
  expect(first.get('b')).toEqual([]);
  const second = assignCooperatively([member('a', ['t'], first.get('a'), 2), member('b', ['t'], [], 2)], counts);
  expect(second.get('a')).toEqual(first.get('a'));
  expect(second.get('b')).toHaveLength(2);
});

test('a claim of an older generation does not count, but is waited for', () => {
  const counts = new Map([['t', 2]]);
  const assigned = assignCooperatively(
    [member('a', ['t'], partitions('t', 0, 1), 3), member('b', ['t'], partitions('t', 0), 7)],
    counts,
  );
  // b's claim on 0 is newer; a still believes to own it, so nobody gets it in this round.
  expect(assigned.get('a')).toEqual(partitions('t', 1));
  expect(assigned.get('b')).toEqual([]);
});

test('a partition goes only to a member that subscribes to its topic', () => {
  const assigned = assignCooperatively(
    [member('a', ['t', 'u']), member('b', ['u'])],
    new Map([
      ['t', 3],
      ['u', 3],
    ]),
  );
  expect(assigned.get('b')!.every((p) => p.topic === 'u')).toBe(true);
  expect(assigned.get('a')!.length).toBe(3);
});

test('equal subscriptions: every partition has one owner, loads differ by one at most, and what is balanced stays', () => {
  const setup = fc.record({
    members: fc.integer({ min: 1, max: 7 }),
    counts: fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 4 }),
  });
  fc.assert(
    fc.property(setup, fc.integer({ min: 1, max: 7 }), ({ members, counts }, later) => {
      const topics = counts.map((_, i) => `t${i}`);
      const byTopic = new Map(counts.map((c, i) => [`t${i}`, c]));
      const join = (n: number, from: JoinedMember[]): JoinedMember[] =>
        Array.from({ length: n }, (_, i) => from[i] ?? member(`m${i}`, topics));
      const before = settle(join(members, []), byTopic).members;
      const after = settle(join(later, before), byTopic).members;
      for (const group of [before, after]) {
        const sizes = group.map((m) => m.owned.length);
        expect(sizes.reduce((a, b) => a + b, 0)).toBe(counts.reduce((a, b) => a + b, 0));
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }
      // Sticky: nobody that stays gets a partition while giving up another.
      for (const m of after) {
        const old = before.find((b) => b.memberId === m.memberId)?.owned.map(key) ?? [];
        const now = m.owned.map(key);
        const gained = now.filter((p) => !old.includes(p)).length;
        const given = old.filter((p) => !now.includes(p)).length;
        expect(Math.min(gained, given)).toBe(0);
      }
    }),
    { numRuns: 300 },
  );
});

test('a thousand partitions among twenty members', () => {
  const members = Array.from({ length: 20 }, (_, i) =>
    member(`m${i}`, ['t'], i === 0 ? partitions('t', ...Array(1000).keys()) : [], 1),
  );
  const assigned = assignCooperatively(members, new Map([['t', 1000]]));
  expect(assigned.get('m0')).toHaveLength(50);
});
