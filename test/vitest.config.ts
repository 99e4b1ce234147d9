import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// The suffix of a test file says what it needs: see test/README.md.
const sim = 'test/**/*.sim.test.ts';
const real = 'test/**/*.real.test.ts';

/** kafkajs asks for timers in the past on current Node; the warning says nothing about us. */
const execArgv = ['--disable-warning=TimeoutNegativeWarning'];

export default defineConfig({
  test: {
    root: join(import.meta.dirname, '..'),
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [sim, real],
          setupFiles: ['test/seed.ts'],
          pool: 'forks',
          execArgv,
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'sim',
          include: [sim],
          pool: 'forks',
          execArgv,
          testTimeout: 600_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'real',
          include: [real],
          globalSetup: ['test/real/setup.ts'],
          pool: 'forks',
          execArgv,
          // Two files at a time: a test waits for servers and engines more than it computes.
          maxWorkers: 2,
          testTimeout: 600_000,
          hookTimeout: 300_000,
          // Servers, engines and tests share two cores: a test that fails for want of time is run once more, and the
          // report says so. What fails twice fails.
          retry: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
