import { createLogger } from '../ops/logger.ts';
import type { Service } from '../service.ts';
import type { CliContext } from './context.ts';
import { Progress } from './progress.ts';

/** `tabletopic run`: the service, until it ends by itself or by a signal. */
export async function runCommand(
  options: { config: string; json: boolean; untilCaughtUp: boolean },
  context: CliContext,
): Promise<number> {
  const { output, ports } = context;
  const config = context.loadConfig(options.config, context.env);
  const progress = options.untilCaughtUp ? new Progress(output, ports.clock) : null;
  const logger = createLogger(config.log, (line) => (progress ? progress.above(line) : output.stderr(line)));
  const service = await context.createService(config, { ports, logger, untilCaughtUp: options.untilCaughtUp });
  const ended = new AbortController();
  const showing = progress?.follow(() => service.snapshot(), logger, ended.signal);
  const removeHandler = handleSignals(service, context);
  try {
    const { exit } = await service.run();
    if (options.json) output.stdout(`${JSON.stringify(summary(service, exit))}\n`);
    return exit;
  } finally {
    removeHandler();
    ended.abort();
    await showing;
  }
}

/** The first signal drains; the second stops at once. */
export function handleSignals(
  service: Pick<Service, 'drain' | 'stop'>,
  context: Pick<CliContext, 'onSignal' | 'exit' | 'ports'>,
): () => void {
  let signals = 0;
  return context.onSignal((signal) => {
    signals++;
    if (signals === 1) return service.drain(signal);
    const code = signal === 'SIGINT' ? 130 : 143;
    if (signals > 2) return context.exit(code);
    // Open uploads are given up where that is quick; the table is the checkpoint, so nothing is lost either way.
    void Promise.race([service.stop(), context.ports.clock.sleep(2000)])
      .catch(() => undefined)
      .then(() => context.exit(code));
    return undefined;
  });
}

function summary(service: Service, exit: number): unknown {
  const { recordsRead, uptimeSeconds, tables } = service.snapshot();
  return {
    exit,
    recordsRead,
    seconds: uptimeSeconds,
    tables: tables.map(({ table, state, rows, deadLetters, lagRecords, lastSnapshotId, error }) => ({
      table,
      state,
      rows,
      deadLetters,
      lagRecords,
      lastSnapshotId,
      error,
    })),
  };
}
