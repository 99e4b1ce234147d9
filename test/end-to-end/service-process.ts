import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { nodeEnv, program } from '../../src/cli/built.mjs';
import { serviceOptions } from '../../src/cli/launch.mjs';
import type { ServiceStatus } from '../../src/ops/status.ts';
import type { Environment } from '../real/stack.ts';

const bundle = program(process.execPath);
/** The service without being bundled: profiles name files of src. */
export const sources: typeof bundle = {
  main: join(import.meta.dirname, '..', '..', 'src', 'main.ts'),
  env: { ...bundle.env, ...nodeEnv },
};

/** The command in a process of its own, as users run it. */
export class ServiceProcess {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  /** The last lines of the log. */
  log = '';
  stdout = '';
  #url = '';

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}, program = bundle) {
    this.child = spawn(process.execPath, [...serviceOptions, program.main, ...args], {
      env: { ...process.env, ...program.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.log = (this.log + text).slice(-40_000)));
    this.child.stderr!.on('data', () => (this.#url ||= /"url":"http:\/\/[^:]+:(\d+)"/.exec(this.log)?.[1] ?? ''));
    this.exited = once(this.child, 'close').then(([code]) => code as number | null);
  }

  /** Waits for the end; the log is in the error when it is another code. */
  async ends(code = 0): Promise<string> {
    const got = await this.exited;
    if (got !== code) throw new Error(`exit code ${got} instead of ${code}\n${this.stdout}${this.log}`);
    return this.stdout;
  }

  /** Resolves when the log has the text. */
  async says(text: string): Promise<void> {
    while (!this.log.includes(text)) {
      const ended = await Promise.race([
        this.exited.then(() => true),
        once(this.child.stderr!, 'data').then(() => false),
      ]);
      if (ended && !this.log.includes(text)) throw new Error(`ended without saying '${text}'\n${this.log}`);
    }
  }

  /** Asks the service's own HTTP server. */
  async get(path: string): Promise<{ status: number; text: string }> {
    if (this.#url === '') await this.says('"url":');
    const answer = await fetch(`http://127.0.0.1:${this.#url}${path}`);
    return { status: answer.status, text: await answer.text() };
  }

  async status(): Promise<ServiceStatus> {
    return JSON.parse((await this.get('/status')).text) as ServiceStatus;
  }

  /** Resolves with the first status of which it is true; the log is in the error when the service ends or time runs out. */
  async until(what: string, holds: (status: ServiceStatus) => boolean, seconds = 60): Promise<ServiceStatus> {
    const deadline = performance.now() + seconds * 1000;
    let last: ServiceStatus | null = null;
    for (;;) {
      last = await this.status().catch((error: unknown) => {
        if (this.child.exitCode !== null)
          throw new Error(`ended with ${this.child.exitCode} before ${what}\n${this.log}`, { cause: error });
        return last;
      });
      if (last && holds(last)) return last;
      if (performance.now() > deadline)
        throw new Error(`not ${what} within ${seconds} s: ${JSON.stringify(last)}\n${this.log}`);
      await sleep(100);
    }
  }

  async kill(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    return this.exited;
  }
}

/** A folder for configuration files of a test, and where the servers of the environment are. */
export class ServiceFiles {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'tabletopic-service-'));
  readonly #environment: Environment;
  readonly #started: ServiceProcess[] = [];

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** A configuration of the real servers; `more` is merged over it at the top level. */
  write(name: string, tables: readonly object[], more: Readonly<Record<string, unknown>> = {}): string {
    const { kafka, catalog, s3, addresses } = this.#environment;
    const file = join(this.dir, `${name}.yaml`);
    const config = {
      kafka: { brokers: kafka.brokers, groupId: name },
      ...(addresses.registry ? { schemaRegistry: { url: addresses.registry.url } } : {}),
      catalogs: { lake: { type: 'rest', uri: catalog.uri, warehouse: catalog.warehouse } },
      storage: {
        s3: {
          endpoint: s3.endpoint,
          region: s3.region,
          pathStyle: true,
          accessKeyId: s3.accessKey,
          secretAccessKey: s3.secretKey,
        },
      },
      http: { port: 0 },
      ...more,
      defaults: { catalog: 'lake', commitInterval: '2s', ...(more['defaults'] as object | undefined) },
      tables,
    };
    writeFileSync(file, stringify(config));
    return file;
  }

  run(config: string, ...args: readonly string[]): ServiceProcess {
    const service = new ServiceProcess(['run', '-c', config, ...args]);
    this.#started.push(service);
    return service;
  }

  async json<T>(command: string, config: string, ...args: readonly string[]): Promise<T> {
    return (await this.result(0, command, config, ...args)).json as T;
  }

  /** The JSON that a command prints, and its log, when it ends with this code. */
  async result(
    code: number,
    command: string,
    config: string,
    ...args: readonly string[]
  ): Promise<{ json: unknown; log: string }> {
    const process = new ServiceProcess([command, '-c', config, '--json', ...args]);
    const out = await process.ends(code);
    return { json: JSON.parse(out) as unknown, log: process.log };
  }

  /** Also ends what a failed test left running. */
  remove(): void {
    for (const { child } of this.#started) child.kill('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }
}
