import { type ChildProcess, spawn } from 'node:child_process';
import { join as joinPath } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { afterEach, describe, expect, test } from 'vitest';
import { dirOf } from '../real/parts.ts';
import { sharedStack } from '../real/shared.ts';
import { java } from '../real/tools.ts';
import { kafkaConfig, Member, produce, uniqueTopic, until } from './harness.ts';

const stack = sharedStack();
const { brokers } = stack.kafka;
const members: Member[] = [];

afterEach(async () => {
  await Promise.all(members.splice(0).map((m) => m.close(true)));
});

async function join(
  config: ReturnType<typeof kafkaConfig>,
  names: readonly string[],
  patterns: readonly RegExp[] = [],
  set: Partial<Pick<Member, 'revokeDelay' | 'reads'>> = {},
): Promise<Member> {
  const member = await Member.join(config, names, patterns, { reads: false, ...set });
  members.push(member);
  return member;
}

const sizes = (...of: Member[]): number[] => of.map((m) => m.owned.size).sort((a, b) => a - b);
const disjoint = (...of: Member[]): boolean =>
  new Set(of.flatMap((m) => [...m.owned])).size === of.reduce((n, m) => n + m.owned.size, 0);

describe.each(['classic', 'consumer'] as const)('group protocol %s', (groupProtocol) => {
  const configOf = (overrides: Parameters<typeof kafkaConfig>[1] = {}) =>
    kafkaConfig(brokers, { groupProtocol, ...overrides });

  test('two, then three members share the partitions; who leaves hands its own on', async () => {
    const topic = uniqueTopic('share');
    await stack.topic.create(topic, 6);
    const config = configOf();
    const a = await join(config, [topic]);
    await until('one owns all', () => a.owned.size === 6);
    const b = await join(config, [topic]);
    await until('two share', () => sizes(a, b).join() === '3,3');
    const c = await join(config, [topic]);
    await until('three share', () => sizes(a, b, c).join() === '2,2,2');
    expect(disjoint(a, b, c)).toBe(true);
    // Cooperative: nobody gave up more than it had to, and nothing was ever lost.
    expect(a.events.filter((e) => e.what === 'revoked').flatMap((e) => e.partitions).length).toBe(4);
    for (const m of [a, b, c]) expect(m.events.some((e) => e.what === 'lost')).toBe(false);
    await b.close();
    await until('the others take over', () => sizes(a, c).join() === '3,3');
    expect(disjoint(a, c)).toBe(true);
  });

  test('a revocation is awaited: the other gets the partitions only after it, and the session survives it', async () => {
    const topic = uniqueTopic('slow');
    await stack.topic.create(topic, 4);
    const config = configOf({ sessionTimeout: 2000 });
    // Longer than the session: without heartbeats meanwhile the member would be thrown out.
    const a = await join(config, [topic], [], { revokeDelay: 5000 });
    await until('one owns all', () => a.owned.size === 4);
    const b = await join(config, [topic]);
    await until('two share', () => sizes(a, b).join() === '2,2');
    const revoked = a.events.find((e) => e.what === 'revoked')!;
    const assigned = b.events.find((e) => e.what === 'assigned' && e.partitions.length > 0)!;
    expect(assigned.at).toBeGreaterThan(revoked.at);
    expect(revoked.partitions).toEqual(assigned.partitions);
    expect(a.events.map((e) => e.what)).toEqual(['assigned', 'revoking', 'revoked']);
  });

  test('a revocation that does not end is given up after its bound', async () => {
    const topic = uniqueTopic('stuck');
    await stack.topic.create(topic, 2);
    const config = configOf({ revokeTimeout: 1000 });
    const a = await join(config, [topic], [], { revokeDelay: 28_000 });
    await until('one owns all', () => a.owned.size === 2);
    const started = performance.now();
    const b = await join(config, [topic]);
    await until('the other gets its share', () => b.owned.size === 1);
    expect(performance.now() - started).toBeLessThan(18_000);
  });

  test('a static member that restarts keeps its partitions, and nobody rebalances', async () => {
    const topic = uniqueTopic('static');
    await stack.topic.create(topic, 4);
    const config = configOf({ sessionTimeout: 30_000 });
    const a = await join({ ...config, instanceId: 'a' }, [topic]);
    const b = await join({ ...config, instanceId: 'b' }, [topic]);
    await until('two share', () => sizes(a, b).join() === '2,2' && disjoint(a, b));
    const before = [...a.owned].sort();
    const eventsOfB = b.events.length;
    const joinsOfB = b.logged('joined the group');
    await a.close(false);
    // Longer than a heartbeat: had it left, the other would have taken over by now.
    await new Promise((resolve) => setTimeout(resolve, 7000));
    expect(b.owned.size).toBe(2);
    const again = await join({ ...config, instanceId: 'a' }, [topic]);
    await until('it is back', () => again.owned.size === 2);
    expect([...again.owned].sort()).toEqual(before);
    expect(b.events.length).toBe(eventsOfB);
    if (groupProtocol === 'classic') {
      // Longer than a heartbeat: a rebalance would have made the other join again.
      await new Promise((resolve) => setTimeout(resolve, 4000));
      expect(b.logged('joined the group')).toBe(joinsOfB);
    }
  });

  test.runIf(groupProtocol === 'classic')(
    'a static member that dies while it gives partitions up, and is back at once: the other gets them all the same',
    async () => {
      const topics = [uniqueTopic('between'), uniqueTopic('rounds')];
      for (const topic of topics) await stack.topic.create(topic, 2);
      const a = await join(configOf({ instanceId: 'a' }), topics, [], { revokeDelay: 9000 });
      await until('one owns all', () => a.owned.size === 4);
      const groupId = a.config.groupId;
      const b = await join(configOf({ instanceId: 'b', groupId }), topics);
      await until('it is to give partitions up', () => a.events.some(({ what }) => what === 'revoking'));
      // As a process that is killed: nobody is told.
      await a.close(false);
      const again = await join(configOf({ instanceId: 'a', groupId }), topics);
      await until('two share', () => sizes(again, b).join() === '2,2');
      expect(disjoint(again, b)).toBe(true);
    },
  );

  test('topics of a pattern and partitions are found while running', async () => {
    const prefix = uniqueTopic('found');
    const config = configOf();
    const a = await join(config, [], [new RegExp(`^${prefix}\\.`)]);
    const b = await join(config, [], [new RegExp(`^${prefix}\\.`)]);
    await stack.topic.create(`${prefix}.one`, 2);
    await until('the topic is found', () => sizes(a, b).join() === '1,1' && disjoint(a, b));
    expect(a.topics.map((t) => t.name)).toEqual([`${prefix}.one`]);
    await stack.topic.addPartitions(`${prefix}.one`, 6);
    await until('the partitions are found', () => sizes(a, b).join() === '3,3' && disjoint(a, b));
    expect(a.topics[0]!.partitions.length).toBe(6);
    await stack.topic.create(`${prefix}.two`, 2);
    await until('the second topic is found', () => sizes(a, b).join() === '4,4' && disjoint(a, b));
    await stack.topic.delete(`${prefix}.one`);
    await until('the deleted one is gone', () => a.topics.length === 1 && sizes(a, b).join() === '1,1');
  });

  test('offsets are mirrored to the group with their metadata', async () => {
    const topic = uniqueTopic('mirror');
    await stack.topic.create(topic, 2);
    await produce(brokers, topic, 0, ['1', '2', '3']);
    const config = configOf();
    const a = await join(config, [topic]);
    await until('it owns all', () => a.owned.size === 2);
    await a.source.commitOffsets([{ topic, partition: 0, offset: 3, leaderEpoch: 0, metadata: 'checkpoint-1' }]);
    const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    const [stored] = await admin.fetchOffsets({ groupId: config.groupId, topics: [topic] });
    await admin.disconnect();
    expect(stored!.partitions.find((p) => p.partition === 0)).toMatchObject({ offset: '3', metadata: 'checkpoint-1' });
  });

  test('two processes with one instance id: one of them is fenced and says so', async () => {
    const topic = uniqueTopic('twins');
    await stack.topic.create(topic, 2);
    const config = configOf({ instanceId: 'twin', sessionTimeout: 3000 });
    const a = await join(config, [topic]);
    await until('it owns all', () => a.owned.size === 2);
    const b = await join(config, [topic]);
    if (groupProtocol === 'classic') {
      await until('the first is fenced', () => a.health.some((h) => h.error?.code === 'KAFKA_FENCED'));
      await until('the second owns all', () => b.owned.size === 2);
      expect(a.owned.size).toBe(0);
      expect(a.events.at(-1)!.what).toBe('lost');
    } else {
      // KIP-848: the id belongs to the first as long as its session lasts; the second waits for it.
      await new Promise((resolve) => setTimeout(resolve, 1500));
      expect(b.owned.size).toBe(0);
      expect(a.owned.size).toBe(2);
      await a.close(true);
      await until('the second owns all', () => b.owned.size === 2);
    }
  });

  test('close ends at once, also while joining or while a revocation is awaited', async () => {
    const topic = uniqueTopic('close');
    await stack.topic.create(topic, 2);
    const config = configOf();
    const a = await join(config, [topic], [], { revokeDelay: 8000 });
    await until('it owns all', () => a.owned.size === 2);
    const b = await join(config, [topic]);
    await until('a revocation is under way', () => a.events.some((e) => e.what === 'revoking'));
    for (const m of [b, a]) {
      const started = performance.now();
      await m.close();
      expect(performance.now() - started).toBeLessThan(3000);
    }
  });
});

describe('group protocol classic, together with Java’s consumer', () => {
  const children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  /** Java's CooperativeStickyAssignor in the same group. */
  function javaMember(groupId: string, topic: string): ChildProcess {
    const tool = 'org.apache.kafka.tools.consumer.ConsoleConsumer';
    const properties = [
      'partition.assignment.strategy=org.apache.kafka.clients.consumer.CooperativeStickyAssignor',
      'group.protocol=classic',
      'session.timeout.ms=6000',
      'metadata.max.age.ms=1000',
    ].flatMap((p) => ['--command-property', p]);
    const args = [
      '-Xmx128m',
      '-cp',
      joinPath(dirOf('kafka'), '*'),
      tool,
      '--bootstrap-server',
      brokers[0]!,
      '--group',
      groupId,
      '--topic',
      topic,
      ...properties,
    ];
    const child = spawn(java(17), args, { stdio: 'ignore' });
    children.push(child);
    return child;
  }

  test('we lead: it gets its share, and gives it back', async () => {
    const topic = uniqueTopic('java');
    await stack.topic.create(topic, 4);
    const config = kafkaConfig(brokers);
    const a = await join(config, [topic]);
    await until('we own all', () => a.owned.size === 4);
    const other = javaMember(config.groupId, topic);
    await until('Java has its share', () => a.owned.size === 2);
    other.kill('SIGTERM');
    await until('we own all again', () => a.owned.size === 4);
    expect(a.events.some((e) => e.what === 'lost')).toBe(false);
  });

  test('it leads: we get our share, and all when it is gone', async () => {
    const topic = uniqueTopic('java');
    await stack.topic.create(topic, 4);
    const config = kafkaConfig(brokers);
    const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    const other = javaMember(config.groupId, topic);
    await until(
      'Java has joined',
      async () => (await admin.describeGroups([config.groupId])).groups[0]?.state === 'Stable',
    );
    await admin.disconnect();
    const a = await join(config, [topic]);
    await until('we have our share', () => a.owned.size === 2);
    other.kill('SIGKILL');
    await until('we own all', () => a.owned.size === 4);
    expect(a.events.some((e) => e.what === 'lost')).toBe(false);
  });
});
