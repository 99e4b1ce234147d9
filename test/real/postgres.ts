import { chownSync, existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import pg from 'pg';
import { Server, freePort } from './server.ts';

/** Directory of the newest PostgreSQL server of this machine; undefined where none is installed. */
export function postgresBin(): string | undefined {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  return versions
    .map((v) => join(root, v, 'bin'))
    .find((bin) => existsSync(join(bin, 'postgres')) && existsSync(join(bin, 'initdb')));
}

/** PostgreSQL refuses to run as root: then it runs as the system's user for it, or as nobody. */
function owner(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const user = users.find((u) => u[0] === 'postgres') ?? users.find((u) => u[0] === 'nobody');
  return user === undefined ? {} : { uid: Number(user[2]), gid: Number(user[3]) };
}

/** A PostgreSQL server with one empty database; anybody on 127.0.0.1 may log in as `tabletopic`. */
export async function postgresServer(dir: string): Promise<{ server: Server; url: string }> {
  const bin = postgresBin();
  if (bin === undefined) throw new Error('no PostgreSQL server is installed (/usr/lib/postgresql/*/bin)');
  const port = await freePort();
  const user = owner();
  const data = join(dir, 'data');
  mkdirSync(data, { recursive: true, mode: 0o700 });
  if (user.uid !== undefined) chownSync(data, user.uid, user.gid!);
  const init = ['-D', data, '-U', 'tabletopic', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync'];
  execFileSync(join(bin, 'initdb'), init, { stdio: 'ignore', cwd: '/', ...user });
  const url = `postgres://tabletopic@127.0.0.1:${port}/postgres`;
  const server = new Server({
    name: 'postgres',
    dir,
    command: join(bin, 'postgres'),
    args: [
      '-D',
      data,
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      `port=${port}`,
      '-c',
      'unix_socket_directories=',
      '-c',
      'fsync=off',
    ],
    ...user,
    // Fast shutdown: SIGTERM would wait for every client to leave.
    stopSignal: 'SIGINT',
    healthy: () => logsIn(url),
  });
  return { server, url };
}

async function logsIn(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } finally {
    await client.end();
  }
}
