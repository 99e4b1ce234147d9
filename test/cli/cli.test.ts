import { describe, expect, test } from 'vitest';
import { main } from '../../src/cli/cli.ts';
import { handleSignals } from '../../src/cli/run.ts';
import { TabletopicError } from '../../src/errors.ts';
import { withReadiness } from '../../src/ops/health.ts';
import type { Service } from '../../src/service.ts';
import { facts } from '../ops/status.ts';
import { configFile, testContext } from './context.ts';

function service(run: () => Promise<{ exit: number }>): Service & { calls: string[] } {
  const calls: string[] = [];
  return {
    calls,
    run,
    drain: (reason) => calls.push(`drain ${reason}`),
    stop: () => {
      calls.push('stop');
      return Promise.resolve();
    },
    snapshot: () => withReadiness(facts()),
  };
}

describe('usage', () => {
  test.each([
    ['no such command', ['fly'], 2, /unknown command/],
    ['no such option', ['run', '-c', 'x', '--fly'], 2, /unknown option/],
    ['no file named', ['run'], 2, /--config/],
    ['a count that is none', ['demo', '--records', 'many'], 2, /whole number/],
  ])('%s: exit 2', async (_, argv, code, message) => {
    const cli = testContext();
    expect(await main(argv, cli)).toBe(code);
    expect(cli.err).toMatch(message);
  });

  test('help and version: exit 0, on standard output', async () => {
    const help = testContext();
    expect(await main(['--help'], help)).toBe(0);
    for (const command of ['run', 'demo', 'check', 'status', 'verify']) expect(help.out).toContain(`  ${command} `);
    const version = testContext();
    expect(await main(['--version'], version)).toBe(0);
    expect(version.out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('errors', () => {
  test('a configuration error: path, reason, remedy, exit 2', async () => {
    const cli = testContext();
    expect(await main(['run', '-c', configFile('kafka: { broker: [a:1] }\n')], cli)).toBe(2);
    expect(cli.err).toContain('CONFIG_INVALID');
    expect(cli.err).toContain('kafka.broker (line 1)');
    expect(cli.err).toContain('did you mean brokers?');
    expect(cli.out).toBe('');
  });

  test('as JSON', async () => {
    const cli = testContext();
    expect(await main(['run', '--json', '-c', configFile('kafka: { broker: [a:1] }\n')], cli)).toBe(2);
    expect(JSON.parse(cli.out)).toMatchObject({
      error: {
        code: 'CONFIG_INVALID',
        hint: expect.any(String) as string,
        where: { file: expect.any(String) as string },
        problems: expect.arrayContaining([expect.objectContaining({ path: 'kafka.broker', line: 1 })]) as unknown[],
      },
    });
  });

  test('an error of a command has its own exit code, cause and place', async () => {
    const cli = testContext({
      runDemo: () =>
        Promise.reject(
          new TabletopicError('KAFKA_LOG_TRUNCATED', 'the log ends at 5', {
            where: { topic: 'shop.orders', offset: 9n },
            cause: new Error('deeper'),
          }),
        ),
    });
    expect(await main(['demo'], cli)).toBe(3);
    expect(cli.err).toMatch(
      /KAFKA_LOG_TRUNCATED: the log ends at 5\n.*topic shop\.orders, offset 9\n.*deeper\n.*remedy: /,
    );
  });
});

describe('run', () => {
  test('ends as the service ends, with a summary when asked', async () => {
    const cli = testContext({ createService: () => Promise.resolve(service(() => Promise.resolve({ exit: 3 }))) });
    expect(await main(['run', '-c', configFile(), '--json', '--until-caught-up'], cli)).toBe(3);
    expect(JSON.parse(cli.out)).toMatchObject({
      exit: 3,
      recordsRead: 153,
      tables: [{ table: 'shop.orders', rows: 100, lastSnapshotId: '8271638172635172635' }],
    });
  });

  test('passes on what was asked for', async () => {
    const asked: (boolean | undefined)[] = [];
    const cli = testContext({
      createService: (_, options) => {
        asked.push(options.untilCaughtUp);
        return Promise.resolve(service(() => Promise.resolve({ exit: 0 })));
      },
    });
    expect(await main(['run', '-c', configFile()], cli)).toBe(0);
    expect(await main(['run', '-c', configFile(), '--until-caught-up'], cli)).toBe(0);
    expect(asked).toEqual([false, true]);
  });

  test('the first signal drains, the second stops at once', async () => {
    const { promise, resolve } = Promise.withResolvers<{ exit: number }>();
    const running = service(() => promise);
    const cli = testContext();
    const remove = handleSignals(running, cli);
    cli.signal('SIGTERM');
    expect(running.calls).toEqual(['drain SIGTERM']);
    expect(cli.exits).toEqual([]);
    cli.signal('SIGINT');
    expect(running.calls).toEqual(['drain SIGTERM', 'stop']);
    await expect.poll(() => cli.exits).toEqual([130]);
    remove();
    cli.signal('SIGINT');
    expect(running.calls).toHaveLength(2);
    resolve({ exit: 0 });
  });
});

test('demo: options', async () => {
  const asked: unknown[] = [];
  const cli = testContext({
    runDemo: (options) => {
      asked.push(options);
      return Promise.resolve(0);
    },
  });
  expect(await main(['demo', '--records', '20000', '--exit', '--json'], cli)).toBe(0);
  expect(await main(['demo', '--rate', '500', '--port', '0'], cli)).toBe(0);
  expect(asked).toEqual([
    { records: 20_000, rate: null, exit: true, json: true, port: null },
    { records: null, rate: 500, exit: false, json: false, port: 0 },
  ]);
});
