import { beforeEach, expect, test } from 'vitest';
import { BrokerError, KafkaError } from '../../../src/demo/broker/error-codes.ts';
import { Group } from '../../../src/demo/broker/group.ts';
import type { JoinRequest, JoinResponse } from '../../../src/demo/broker/group.ts';
import { manualPorts } from './manual-clock.ts';

let ports: ReturnType<typeof manualPorts>;
let group: Group;

beforeEach(() => {
  ports = manualPorts();
  group = new Group('g', ports);
});

const join = (memberId: string, more: Partial<JoinRequest> = {}): Promise<JoinResponse> =>
  group.join({
    memberId,
    groupInstanceId: null,
    clientId: 'c',
    protocolType: 'consumer',
    sessionTimeoutMs: 1000,
    rebalanceTimeoutMs: 3000,
    protocols: [{ name: 'range', metadata: Buffer.from('m') }],
    requireMemberId: false,
    supportsSkipping: true,
    ...more,
  });
const assign = (joined: JoinResponse): Promise<Buffer> =>
  group.sync(
    joined.memberId,
    null,
    joined.generationId,
    joined.members.map(({ memberId }) => ({ memberId, assignment: Buffer.from(`to ${memberId}`) })),
  );
const codeOf = async (body: () => unknown): Promise<number> => {
  try {
    await body();
  } catch (error) {
    if (error instanceof BrokerError) return error.code;
    throw error;
  }
  return 0;
};

test('a member without an id is given one first, where asked for', async () => {
  const first = await join('', { requireMemberId: true });
  expect([first.errorCode, group.members.size]).toEqual([KafkaError.MEMBER_ID_REQUIRED, 0]);
  const joined = await join(first.memberId);
  expect([joined.errorCode, joined.generationId, joined.leader]).toEqual([0, 1, first.memberId]);
  expect(await codeOf(() => join('made-up'))).toBe(KafkaError.UNKNOWN_MEMBER_ID);
});

test('a second member: the first is told to join again, then both have their assignment', async () => {
  const a = await join('');
  expect((await assign(a)).toString()).toBe(`to ${a.memberId}`);
  expect(group.state).toBe('Stable');
  const waiting = join('');
  expect(await codeOf(() => group.heartbeat(a.memberId, null, 1))).toBe(KafkaError.REBALANCE_IN_PROGRESS);
  const [again, b] = await Promise.all([join(a.memberId), waiting]);
  expect([again.generationId, b.generationId, again.members.length, b.members.length]).toEqual([2, 2, 2, 0]);
  const follower = assign(b);
  await assign(again);
  expect((await follower).toString()).toBe(`to ${b.memberId}`);
  expect(await codeOf(() => group.heartbeat(b.memberId, null, 1))).toBe(KafkaError.ILLEGAL_GENERATION);
  expect(await codeOf(() => group.heartbeat(b.memberId, null, 2))).toBe(0);
});

test('who gives no sign of life within the session is out', async () => {
  const a = await join('');
  await assign(a);
  for (let i = 0; i < 5; i++) {
    await ports.advance(900);
    group.heartbeat(a.memberId, null, 1);
  }
  expect(group.members.size).toBe(1);
  await ports.advance(1100);
  expect([group.members.size, group.state]).toEqual([0, 'Empty']);
  expect(await codeOf(() => group.heartbeat(a.memberId, null, 1))).toBe(KafkaError.UNKNOWN_MEMBER_ID);
});

test('who does not join again within the rebalance timeout is out', async () => {
  const a = await join('', { sessionTimeoutMs: 60_000 });
  await assign(a);
  const b = join('');
  await ports.advance(2900);
  expect(group.state).toBe('PreparingRebalance');
  await ports.advance(200);
  expect((await b).leader).toBe((await b).memberId);
  expect([...group.members.keys()]).toEqual([(await b).memberId]);
});

test('a static member that returns keeps its place without a rebalance; its former self is fenced', async () => {
  const a = await join('', { groupInstanceId: 's' });
  await group.sync(a.memberId, 's', 1, [{ memberId: a.memberId, assignment: Buffer.from('p0') }]);
  const back = await join('', { groupInstanceId: 's' });
  expect([back.generationId, back.skipAssignment, back.leader === back.memberId, back.memberId === a.memberId]).toEqual(
    [1, true, true, false],
  );
  expect((await group.sync(back.memberId, 's', 1, [])).toString()).toBe('p0');
  expect(await codeOf(() => group.heartbeat(a.memberId, 's', 1))).toBe(KafkaError.FENCED_INSTANCE_ID);
  const older = await join('', { groupInstanceId: 's', supportsSkipping: false });
  expect([older.leader === older.memberId, older.leader, older.members]).toEqual([false, back.memberId, []]);
});

test('a static member that stays away is out after its session', async () => {
  const a = await join('', { groupInstanceId: 's', sessionTimeoutMs: 10_000 });
  await group.sync(a.memberId, 's', 1, []);
  const b = join('', { sessionTimeoutMs: 30_000 });
  await ports.advance(5000);
  expect((await b).members).toHaveLength(2);
  await group.sync((await b).memberId, null, 2, []);
  await ports.advance(10_001);
  expect(group.state).toBe('PreparingRebalance');
  expect((await join((await b).memberId)).members).toHaveLength(1);
});

test('leaving by member id and by instance id', async () => {
  const a = await join('');
  await assign(a);
  group.leave(a.memberId, null);
  expect(group.state).toBe('Empty');
  await join('', { groupInstanceId: 's' });
  group.leave('', 's');
  expect([group.members.size, await codeOf(() => group.leave('', 's'))]).toEqual([0, KafkaError.UNKNOWN_MEMBER_ID]);
});

test('members agree on a protocol that all support', async () => {
  const two = [
    { name: 'sticky', metadata: Buffer.from('s') },
    { name: 'range', metadata: Buffer.from('r') },
  ];
  const a = await join('', { protocols: two });
  await assign(a);
  const waiting = join('');
  const again = await join(a.memberId, { protocols: two });
  expect([again.protocolName, again.members.map(({ metadata }) => metadata.toString())]).toEqual(['range', ['r', 'm']]);
  await waiting;
  expect(await codeOf(() => join('', { protocols: [{ name: 'other', metadata: Buffer.alloc(0) }] }))).toBe(
    KafkaError.INCONSISTENT_GROUP_PROTOCOL,
  );
});

test('offsets are committed by members of this generation, or by anybody while there are none', async () => {
  expect(await codeOf(() => group.checkCommit('', null, -1))).toBe(0);
  const a = await join('');
  expect(await codeOf(() => group.checkCommit(a.memberId, null, 1))).toBe(KafkaError.REBALANCE_IN_PROGRESS);
  await assign(a);
  expect(await codeOf(() => group.checkCommit(a.memberId, null, 1))).toBe(0);
  expect(await codeOf(() => group.checkCommit(a.memberId, null, 0))).toBe(KafkaError.ILLEGAL_GENERATION);
  expect(await codeOf(() => group.checkCommit('', null, -1))).toBe(KafkaError.UNKNOWN_MEMBER_ID);
});
