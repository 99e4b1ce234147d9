import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';

/** The machine that figures were measured on. */
export function machine(): string {
  const [cpu] = cpus();
  const kernel = readFileSync('/proc/version', 'utf8').split(' ')[2];
  return `${cpus().length} × ${cpu!.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${kernel}, Node ${process.version}; all servers on the same machine`;
}
