import { kafkaConfig, Member } from './harness.ts';

/** A member in a process of its own, which a test can stop (SIGSTOP) for longer than its session. Says what happens, line by line. */
const [brokers, groupProtocol, groupId, topic] = process.argv.slice(2) as [
  string,
  'classic' | 'consumer',
  string,
  string,
];
const member = await Member.join(kafkaConfig([brokers], { groupProtocol, groupId, sessionTimeout: 2000 }), [topic]);
let told = 0;
setInterval(() => {
  for (; told < member.events.length; told++)
    process.stdout.write(`${member.events[told]!.what} ${member.events[told]!.partitions.length}\n`);
}, 20);
