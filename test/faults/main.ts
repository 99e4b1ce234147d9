import { parseArgs } from 'node:util';
import { machine } from '../bench/machine.ts';
import { Lab } from './lab.ts';
import { isExact, outcomeLine, outcomeTable } from './outcome.ts';
import type { Outcome } from './outcome.ts';
import { scenarios } from './scenarios/all.ts';

const usage = `npm run test:faults -- [--few] [--only TEXT] [--json]

Starts real servers (Kafka, S3, REST catalog, registry), writes tables with the service under faults and lets PyIceberg count
what came over. Prints a table; exit code 1 on any duplicate, hole, missing file or wrong sum.

--few    as few faults as in the test of continuous integration
--only   scenarios whose name has this text:
${scenarios.map(({ name }) => `         ${name}`).join('\n')}`;

const { values: options } = parseArgs({
  options: {
    few: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (options.help) {
  console.log(usage);
  process.exit(0);
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const lab = await Lab.open();
const outcomes: Outcome[] = [];
let broken = false;
try {
  for (const scenario of scenarios.filter(({ name }) => name.includes(options.only))) {
    const began = performance.now();
    const took = (): string => `${Math.round((performance.now() - began) / 1000)} s`;
    try {
      const found = await scenario.run(lab, options.few ? scenario.few : scenario.many);
      say(`${scenario.name}: ${found.every(isExact) ? 'exact' : 'WRONG'}, ${took()}`);
      outcomes.push(...found);
      for (const outcome of found) say(outcomeLine(outcome));
    } catch (error) {
      broken = true;
      say(`${scenario.name}: did not end, ${took()}\n${String(error)}`);
      await lab.mend();
    }
  }
} finally {
  await lab.close();
}
console.log(
  options.json ? JSON.stringify({ machine: machine(), outcomes }) : `${machine()}\n\n${outcomeTable(outcomes)}`,
);
process.exitCode = !broken && outcomes.length > 0 && outcomes.every(isExact) ? 0 : 1;
