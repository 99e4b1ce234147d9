import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CliContext } from '../../src/cli/context.ts';
import { loadConfig } from '../../src/config/load.ts';
import { systemPorts } from '../../src/ports.ts';

/** What a command printed and did. */
export interface Console {
  out: string;
  err: string;
  exits: number[];
  signal: (name: 'SIGINT' | 'SIGTERM') => void;
}

/** A context that refuses what the test does not give. */
export function testContext(changes: Partial<CliContext> = {}): CliContext & Console {
  let handler: (name: 'SIGINT' | 'SIGTERM') => void = () => undefined;
  const console: Console = { out: '', err: '', exits: [], signal: (name) => handler(name) };
  const refuse = (): never => {
    throw new Error('not part of this test');
  };
  return Object.assign(console, {
    env: {},
    ports: systemPorts,
    loadConfig,
    createService: refuse,
    runDemo: refuse,
    connect: { source: refuse, catalog: refuse, fileIO: refuse, registry: () => null, positions: refuse },
    output: {
      stdout: (text: string) => {
        console.out += text;
      },
      stderr: (text: string) => {
        console.err += text;
      },
      isTerminal: false,
      columns: 80,
    },
    onSignal: (added: typeof handler) => {
      handler = added;
      return () => {
        handler = () => undefined;
      };
    },
    exit: (code: number) => {
      console.exits.push(code);
    },
    ...changes,
  });
}

const least =
  'kafka: { brokers: [a:1] }\ncatalogs: { lake: { type: rest, uri: http://a, warehouse: memory } }\ntables: [{ topic: shop.orders }]\n';

export function configFile(text: string = least): string {
  const file = join(mkdtempSync(join(tmpdir(), 'tabletopic-cli-')), 'tabletopic.yaml');
  writeFileSync(file, text);
  return file;
}
