import { readFileSync } from 'node:fs';
import { pino } from 'pino';
import { loadConfig } from '../../src/config/load.ts';
import { systemPorts } from '../../src/ports.ts';
import { createService } from '../../src/service.ts';
import { RecordedSource } from './recorded-source.ts';

// node scaling-run.ts RECORDING CONFIG: the service on recorded fetch responses, in a process of its own; prints what it used.

export interface RecordedRun {
  readonly exit: number;
  readonly seconds: number;
  /** All threads of the process from its start. */
  readonly cpuSeconds: number;
  readonly mainSeconds: number;
  readonly peakMiB: number;
}

const [recording, config] = process.argv.slice(2);
const service = createService(loadConfig(config!), {
  ports: systemPorts,
  logger: pino({ level: 'error' }, pino.destination(2)),
  untilCaughtUp: true,
  source: new RecordedSource(recording!),
});
const { exit } = await service.run();
const { user, system } = process.cpuUsage();
const main = readFileSync(`/proc/self/task/${process.pid}/stat`, 'utf8');
const fields = main.slice(main.lastIndexOf(')') + 2).split(' ');
const run: RecordedRun = {
  exit,
  seconds: process.uptime(),
  cpuSeconds: (user + system) / 1e6,
  mainSeconds: (Number(fields[11]) + Number(fields[12])) / 100,
  peakMiB: process.resourceUsage().maxRSS / 1024,
};
console.log(JSON.stringify(run));
