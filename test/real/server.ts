import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ServerOptions {
  name: string;
  /** Directory of this server's data and log. */
  dir: string;
  command: string;
  args: readonly string[];
  env?: NodeJS.ProcessEnv;
  /** Runs the process as another user: PostgreSQL refuses to be root. */
  uid?: number;
  gid?: number;
  /** True once the server answers; a throw counts as "not yet". */
  healthy: () => Promise<boolean>;
  /** What asks for an orderly end; SIGTERM unless said otherwise. */
  stopSignal?: NodeJS.Signals;
  /** Bound on the start, in seconds. */
  within?: number;
}

const alive = new Set<Server>();
process.on('exit', () => {
  for (const server of alive) server.killNow();
});

/** Kills the child when we die, even by SIGKILL, where util-linux has setpriv. */
const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((p) => existsSync(p));

/** One real server process. Data and port outlive it, so that it can be killed and started again within a test. */
export class Server {
  readonly name: string;
  readonly logFile: string;
  readonly #options: ServerOptions;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();

  constructor(options: ServerOptions) {
    this.name = options.name;
    this.#options = options;
    mkdirSync(options.dir, { recursive: true });
    this.logFile = join(options.dir, 'log');
  }

  /** Process id, or undefined when the server is down. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(): Promise<void> {
    if (this.#child !== undefined) throw new Error(`${this.name} is already running`);
    const { command, args, dir, env, uid, gid } = this.#options;
    const log = openSync(this.logFile, 'a');
    const [file, argv] = setpriv === undefined ? [command, args] : [setpriv, ['--pdeathsig', 'KILL', command, ...args]];
    const child = spawn(file, argv, {
      cwd: dir,
      stdio: ['ignore', log, log],
      env: { ...process.env, ...env },
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    });
    closeSync(log);
    this.#child = child;
    alive.add(this);
    this.#exited = new Promise((resolve) => {
      const end = (): void => {
        if (this.#child === child) this.#child = undefined;
        alive.delete(this);
        resolve();
      };
      child.once('exit', end);
      child.once('error', end);
    });
    await this.#untilHealthy();
  }

  async #untilHealthy(): Promise<void> {
    const within = this.#options.within ?? 90;
    const deadline = performance.now() + within * 1000;
    while (!(await this.#isHealthy())) {
      if (this.#child === undefined) throw new Error(`${this.name} ended while starting\n${this.logTail()}`);
      if (performance.now() > deadline) {
        await this.kill('SIGKILL');
        throw new Error(`${this.name} did not answer within ${within} s\n${this.logTail()}`);
      }
      await sleep(100);
    }
  }

  async #isHealthy(): Promise<boolean> {
    try {
      return await this.#options.healthy();
    } catch {
      return false;
    }
  }

  /** Sends a signal; for those that end a process, waits until it is gone. SIGSTOP and SIGCONT return at once. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    child.kill(signal);
    if (signal === 'SIGSTOP' || signal === 'SIGCONT') return;
    await this.#exited;
  }

  /** Ends the server in its own way; by force after 20 seconds. */
  async stop(): Promise<void> {
    if (this.#child === undefined) return;
    const force = setTimeout(() => this.killNow(), 20_000);
    await this.kill(this.#options.stopSignal ?? 'SIGTERM');
    clearTimeout(force);
  }

  /** Starts again on the same port and data; a server that still runs is stopped first. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  killNow(): void {
    this.#child?.kill('SIGKILL');
  }

  logTail(lines = 40): string {
    return readFileSync(this.logFile, 'utf8').split('\n').slice(-lines).join('\n');
  }
}

/**
 * A port of 127.0.0.1 that nobody listens on, below the range from which the system takes ports of outgoing connections,
 * so that a killed server finds its port free again.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (await bindable(port)) return port;
  }
}

function bindable(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

/** True when the URL answers with a 2xx status. */
export async function answers(url: string): Promise<boolean> {
  return (await fetch(url, { signal: AbortSignal.timeout(2000) })).ok;
}
