import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';

/** Processes of one group on one machine that may claim a name. */
const MOST = 1000;

export interface InstanceClaim {
  /** `group.instance.id` (KIP-345). */
  readonly id: string;
  release(): void;
}

/**
 * A static member's name that is the same after a restart and never shared by two processes: the host name and the
 * lowest number that no living process of this machine holds. Two members with one name would fence each other.
 * A process that died by SIGKILL leaves its claim behind; the next one takes it over, and with it the partitions.
 */
export function claimInstanceId(
  groupId: string,
  folder: string = join(tmpdir(), 'tabletopic-instances'),
): InstanceClaim {
  mkdirSync(folder, { recursive: true });
  const group = createHash('sha256').update(groupId).digest('hex').slice(0, 12);
  for (let n = 0; n < MOST; n++) {
    const file = join(folder, `${group}-${n}`);
    if (!claim(file)) continue;
    const name = groupId.replaceAll(/[^a-zA-Z0-9._-]/g, '_');
    return { id: `${name}-${hostname()}-${n}`, release: () => rmSync(file, { force: true }) };
  }
  throw new Error(`${MOST} processes hold claims in ${folder}`);
}

function claim(file: string): boolean {
  for (let tries = 0; tries < 3; tries++) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (holderLives(file)) return false;
      rmSync(file, { force: true });
    }
  }
  return false;
}

/** A claim of our own number is of a former process that had it: in a container every process is number 1. */
function holderLives(file: string): boolean {
  const pid = Number(read(file));
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
