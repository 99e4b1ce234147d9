import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Stack, startStack } from '../real/stack.ts';
import { kafkaConfig, Member, produce, uniqueTopic, until } from './harness.ts';

// A broker of its own: it is stopped and killed here.
let stack: Stack;
const members: Member[] = [];
const children: ChildProcess[] = [];

beforeAll(async () => {
  // KIP-848 sessions are the broker's to set.
  const config = {
    'group.consumer.min.session.timeout.ms': '1000',
    'group.consumer.session.timeout.ms': '6000',
    'group.consumer.min.heartbeat.interval.ms': '100',
    'group.consumer.heartbeat.interval.ms': '500',
  };
  stack = await startStack({ kafka: { config, heap: '512m' } });
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await Promise.all(members.splice(0).map((m) => m.close(true)));
});

afterAll(async () => {
  await stack.stop();
});

describe.each(['classic', 'consumer'] as const)('group protocol %s', (groupProtocol) => {
  test('a broker that restarts is survived: the member stays, nothing is lost or read twice', async () => {
    const { brokers } = stack.kafka;
    const topic = uniqueTopic('restart');
    await stack.topic.create(topic, 4);
    const member = await Member.join(kafkaConfig(brokers, { groupProtocol, sessionTimeout: 30_000 }), [topic]);
    members.push(member);
    await until('it owns all', () => member.owned.size === 4);
    for (const partition of [0, 1, 2, 3]) await produce(brokers, topic, partition, ['a', 'b']);
    await until('the first are read', () => [0, 1, 2, 3].every((p) => member.reached(`${topic}/${p}`) === 2));
    await stack.server('kafka').kill('SIGKILL');
    await until('the outage is told', () => member.health.at(-1)?.error?.code === 'KAFKA_UNAVAILABLE');
    await stack.server('kafka').start();
    await until('it is connected again', () => member.health.at(-1)?.connected === true);
    for (const partition of [0, 1, 2, 3]) await produce(brokers, topic, partition, ['c']);
    await until('the rest is read', () => [0, 1, 2, 3].every((p) => member.reached(`${topic}/${p}`) === 3));
    for (const list of member.fetched.values())
      list.forEach((f, i) => expect(f.fetchOffset).toBe(i === 0 ? 0 : list[i - 1]!.nextOffset));
    await member.source.commitOffsets([{ topic, partition: 0, offset: 3, leaderEpoch: 0, metadata: '' }]);
    expect(member.logged('cannot mirror offsets to the group')).toBe(0);
    expect(member.laneErrors).toEqual([]);
  });

  test('a process that was stopped for longer than its session gives up what it had, then joins again', async () => {
    const [broker] = stack.kafka.brokers;
    const topic = uniqueTopic('stopped');
    await stack.topic.create(topic, 2);
    const groupId = `group-${randomUUID()}`;
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, 'outages-member.ts'), broker!, groupProtocol, groupId, topic],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    children.push(child);
    let said = '';
    child.stdout.on('data', (data: Buffer) => (said += data.toString()));
    await until('the process owns all', () => said === 'assigned 2\n');
    child.kill('SIGSTOP');
    const other = await Member.join(kafkaConfig([broker!], { groupProtocol, groupId, sessionTimeout: 2000 }), [topic]);
    members.push(other);
    await until('the other took over', () => other.owned.size === 2);
    child.kill('SIGCONT');
    await until('the process gives up and joins again', () => said === 'assigned 2\nlost 2\nassigned 1\n');
    await until('they share', () => other.owned.size === 1);
    expect(other.events.some((e) => e.what === 'lost')).toBe(false);
  });
});

test('while no broker answers, connect waits and says so; it succeeds when one comes', async () => {
  await stack.server('kafka').stop();
  const member = new Member(kafkaConfig(stack.kafka.brokers));
  members.push(member);
  const connecting = member.source.connect();
  await until('it has tried', () => member.logged('no broker answers; tried again') > 0);
  await stack.server('kafka').start();
  expect((await connecting).clusterId).not.toBe('');
});
