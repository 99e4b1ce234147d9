import type { IHeaders, Message } from 'kafkajs';
import { expect, test } from 'vitest';
import { quick, scene } from './scene.ts';

// Dead letters in a topic as well, and a topic that is paused because of them.

const { stack, files, lake, kafka, producer } = scene();
const settings = (groupId: string): ReturnType<typeof quick> => quick({ stack }, groupId);

/** What another client reads of a topic. */
async function consume(topic: string, count: number): Promise<Message[]> {
  const consumer = kafka.consumer({ groupId: `reader-of-${topic}` });
  const found: Message[] = [];
  await consumer.connect();
  try {
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      consumer
        .run({
          eachMessage: ({ message }) => {
            found.push(message);
            if (found.length === count) resolve();
            return Promise.resolve();
          },
        })
        .catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
  return found;
}

const text = (headers: IHeaders | undefined, name: string): string | undefined => headers?.[name]?.toString();

test('deadLetterTopic: each dead letter is a record there, whole, and says where it is from and why', async () => {
  const [topic, dead] = ['limits.topic', 'limits.dead-letters'];
  await stack.topic.create(topic, 2);
  await stack.topic.create(dead, 3);
  const messages = [...Array(20).keys()].map((n): Message & { partition: number } => ({
    partition: n % 2,
    key: `k${n}`,
    value: n % 5 === 0 ? `bad ${n}` : `{"id":${n}}`,
    headers: { n: String(n) },
  }));
  await producer.send({ topic, messages });
  const config = files.write(
    'limits-topic',
    [{ topic, value: 'json', deadLetterTopic: dead }],
    settings('limits-topic'),
  );
  await files.run(config, '--until-caught-up').ends();
  await files.run(config, '--until-caught-up').ends();
  const found = await consume(dead, 4);
  expect(
    found
      .map(({ key, value, headers }) => [
        key?.toString(),
        value?.toString(),
        text(headers, 'n'),
        text(headers, 'tabletopic.topic'),
        `${text(headers, 'tabletopic.partition')}/${text(headers, 'tabletopic.offset')}`,
        text(headers, 'tabletopic.code'),
        text(headers, 'tabletopic.table'),
      ])
      .sort((a, b) => Number(a[2]) - Number(b[2])),
  ).toEqual(
    [0, 5, 10, 15].map((n) => [
      `k${n}`,
      `bad ${n}`,
      String(n),
      topic,
      `${n % 2}/${Math.floor(n / 2)}`,
      'DECODE_JSON',
      topic,
    ]),
  );
  expect(found.every(({ headers }) => /\w/.test(text(headers, 'tabletopic.reason') ?? ''))).toBe(true);
  expect(await lake.rows(`${topic}_dead_letters`)).toHaveLength(4);
  // A second run found nothing new to produce.
  const admin = kafka.admin();
  await admin.connect();
  const ends = await admin.fetchTopicOffsets(dead);
  await admin.disconnect();
  expect(ends.reduce((sum, { high }) => sum + Number(high), 0)).toBe(4);
});

test('maxDeadLetterRate: the topic is paused, loudly, others go on; with the rule mended it is read on, nothing lost', async () => {
  const [topic, other] = ['limits.burst', 'limits.other'];
  for (const name of [topic, other]) await stack.topic.create(name, 1);
  const good = [...Array(100).keys()].map((id): Message => ({ value: `{"id":${id}}` }));
  const bad = [...Array(200).keys()].map((n): Message => ({ value: `text ${n}` }));
  await producer.send({ topic, messages: [...good, ...bad] });
  await producer.send({ topic: other, messages: good });
  const rules = (rate: object): object[] => [
    { topic, value: 'json', ...rate },
    { topic: other, value: 'json' },
  ];
  const limited = files.write('limits-burst', rules({ maxDeadLetterRate: '5%' }), settings('limits-burst'));
  const service = files.run(limited);
  const paused = await service.until('paused', ({ tables }) => tables.some((table) => table.paused.length > 0));
  expect(paused.tables.find(({ table }) => table === topic)!.paused).toMatchObject([
    { topic, partition: 0, code: 'DECODE_JSON' },
  ]);
  // 50 of 1,000, and each of them a record itself; 100 good ones before add nothing.
  const { tables } = await service.until('what was taken', (status) =>
    status.tables.every(({ rows, uncommittedSince }) => rows === 100 && uncommittedSince === null),
  );
  const own = tables.find(({ table }) => table === topic)!;
  expect(own.deadLetters).toBe(52);
  expect(own.lagRecords).toBe(148);
  const ready = await service.get('/readyz');
  expect([ready.status, ready.text]).toEqual([503, expect.stringContaining(`topic ${topic} is paused`)]);
  expect((await service.get('/metrics')).text).toMatch(/tabletopic_topics_paused\{table="limits\.burst"\} 1/);
  expect(service.log).toContain('DEAD_LETTER_RATE');
  await producer.send({ topic: other, messages: good });
  await service.until('the other topic', (status) => status.tables.some(({ rows }) => rows === 200));
  expect(await service.kill('SIGTERM')).toBe(0);
  expect((await files.json<{ ok: boolean }>('verify', limited)).ok).toBe(true);

  // `--until-caught-up` says that it is not.
  await files.run(limited, '--until-caught-up').ends(3);
  const open = files.write('limits-open', rules({}), settings('limits-burst'));
  await files.run(open, '--until-caught-up').ends();
  const { ok, tables: verified } = await files.json<{
    ok: boolean;
    tables: { table: string; partitions: { rows: number; deadLetters: number }[] }[];
  }>('verify', open, '--deep');
  expect(ok).toBe(true);
  expect(verified.find(({ table }) => table === topic)!.partitions).toMatchObject([{ rows: 100, deadLetters: 200 }]);
});
