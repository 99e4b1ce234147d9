import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { CHECKPOINTS, decodeCheckpoints } from '../../src/commit/statement.ts';
import { RestCatalog } from '../../src/iceberg/rest.ts';
import { createFileIO } from '../../src/io/file-io-factory.ts';
import { systemPorts } from '../../src/ports.ts';
import { readers } from '../real/readers.ts';
import { ROWS, identOf } from './contention-committers.ts';
import { Steps } from './contention-steps.ts';
import type { ChildProcess } from 'node:child_process';
import type { Environment } from '../real/stack.ts';
import type { Order, Outcome, Took } from './contention-committers.ts';
import type { StepTotals } from './contention-steps.ts';

export interface Contention {
  readonly namespace: string;
  readonly committers: number;
  readonly processes: number;
  /** Milliseconds between the checkpoints of one committer. */
  readonly interval: number;
  /** Milliseconds that count, after `warmUp` milliseconds that do not. */
  readonly duration: number;
  readonly warmUp: number;
  /** Called while they commit: at the beginning and at the end. */
  readonly mark?: (when: 'begin' | 'end') => void;
}

export interface ContentionFigures {
  /** When the committers began, wall clock, ms. */
  readonly from: number;
  /** Checkpoints of the time that counts. */
  readonly took: readonly Took[];
  /** How many that was for each committer. */
  readonly each: readonly number[];
  /** All checkpoints. */
  readonly all: number;
  /** Checkpoints in each snapshot that has any. */
  readonly carried: readonly number[];
  readonly pendingObjects: { readonly written: number; readonly left: number };
  /** Whether an independent reader finds each row of each checkpoint once. */
  readonly exact: boolean;
  readonly steps: StepTotals;
  /** Seconds of processor time of the committers. */
  readonly cpu: number;
}

/** Committers of one table, in processes of their own, that commit through a REST catalog; then PyIceberg counts the rows. */
export async function contend(servers: Environment, options: Contention): Promise<ContentionFigures> {
  const { namespace, committers, processes, interval } = options;
  const partitions = Array.from({ length: committers }, (_, partition) => partition);
  const forks: Fork[] = [];
  let outcomes: readonly Outcome[];
  const wall = { from: 0, counts: 0 };
  try {
    for (let process = 0; process < processes; process++) {
      const own = partitions.filter((partition) => partition % processes === process);
      const { catalog, s3 } = servers;
      const order: Order = { catalog, s3, namespace, partitions: committers, own, interval };
      const child = new Fork();
      forks.push(child);
      await child.ask({ open: order });
    }
    wall.from = Date.now();
    wall.counts = wall.from + options.warmUp;
    const span = { from: wall.from, until: wall.counts + options.duration };
    options.mark?.('begin');
    outcomes = await Promise.all(forks.map(async (child) => (await child.ask<{ outcome: Outcome }>(span)).outcome));
    options.mark?.('end');
  } finally {
    for (const child of forks) child.kill();
  }

  const catalog = new RestCatalog('rest', { type: 'rest', ...servers.catalog, requestTimeout: 30_000 }, systemPorts);
  await catalog.connect();
  const { metadata } = (await catalog.loadTable(identOf(namespace), 'all'))!;
  await catalog.close();
  const reading = await readers.pyiceberg({
    catalog: { type: 'rest', uri: servers.catalog.uri, s3: servers.s3 },
    table: `${namespace}.contention`,
  });
  const each = outcomes.flatMap((outcome) => outcome.committers);
  const all = each.flatMap(({ took }) => took);
  const counting = (took: readonly Took[]): readonly Took[] => took.filter((one) => one.at >= wall.counts);
  const steps = Steps.sum(outcomes.map((outcome) => outcome.steps));
  return {
    from: wall.from,
    took: counting(all),
    each: each.map(({ took }) => counting(took).length),
    all: all.length,
    carried: (metadata.snapshots ?? [])
      .map((snapshot) => decodeCheckpoints(snapshot.summary?.[CHECKPOINTS]).length)
      .filter((count) => count > 0),
    pendingObjects: {
      written: steps['PUT pending object']?.count ?? 0,
      left: await pendingObjects(servers, metadata.location),
    },
    exact:
      reading.rows === all.length * ROWS &&
      reading.kafka!.length === committers &&
      reading.kafka!.every(
        ({ partition, count, distinct }) =>
          count === distinct && count === each.find((one) => one.partition === partition)!.took.length * ROWS,
      ),
    steps,
    cpu: outcomes.reduce((sum, one) => sum + one.cpu, 0),
  };
}

async function pendingObjects({ s3 }: Environment, location: string): Promise<number> {
  const { endpoint, region, accessKey: accessKeyId, secretKey: secretAccessKey } = s3;
  const io = createFileIO({ s3: { endpoint, region, pathStyle: true, accessKeyId, secretAccessKey } }, systemPorts.ids);
  const found: string[] = [];
  for await (const object of io.list(`${location}/metadata/tabletopic/pending/`)) found.push(object.location);
  await io.close();
  return found.length;
}

/** A process of committers: a message in, a message out. */
class Fork {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(join(import.meta.dirname, 'contention-committers.ts'), { stdio: 'inherit', execArgv: [] });
  }

  async ask<T>(message: object): Promise<T> {
    const exited = once(this.#child, 'exit').then(([code]) => {
      throw new Error(`a process of committers ended with ${String(code)}`);
    });
    exited.catch(() => undefined);
    const answer = once(this.#child, 'message');
    this.#child.send(message);
    const [value] = (await Promise.race([answer, exited])) as [T];
    return value;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
