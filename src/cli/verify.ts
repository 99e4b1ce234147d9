import { ExitCode, type TabletopicError, asTabletopicError } from '../errors.ts';
import type { LoadedTable } from '../iceberg/catalog.ts';
import type { FileIO } from '../io/file-io.ts';
import { verifyText } from '../maintain/verify-text.ts';
import { type VerifyResult, verifyTable } from '../maintain/verify.ts';
import { createLogger } from '../ops/logger.ts';
import {
  Catalogs,
  checkBranch,
  connectSource,
  describeTopics,
  identOf,
  plansFor,
  selectOrUnlisted,
  worstExit,
} from './connected.ts';
import type { CliContext } from './context.ts';
import { errorJson, errorText } from './errors.ts';

/** `tabletopic verify`: exit code 1 on any duplicate, hole or disagreement; one table's trouble does not hide another's. */
export async function verifyCommand(
  options: { config: string; json: boolean; table?: string; branch?: string; deep: boolean },
  context: CliContext,
): Promise<number> {
  const { output, connect, ports } = context;
  const config = context.loadConfig(options.config, context.env);
  const logger = createLogger({ ...config.log, level: 'error' }, output.stderr);
  const catalogs = new Catalogs(config, context, logger);
  const results: VerifyResult[] = [];
  const errors: TabletopicError[] = [];
  const opened: FileIO[] = [];
  try {
    const { plans } = await planned(config, context, logger);
    for (const plan of await selectOrUnlisted(plans, options.table, catalogs)) {
      try {
        const target = {
          catalog: await catalogs.get(plan.rule.catalog),
          ident: identOf(plan),
          branch: options.branch ?? plan.rule.branch,
        };
        if (options.branch !== undefined) await checkBranch(target);
        const open = (table: LoadedTable): FileIO => {
          const io = connect.fileIO(config, ports, table);
          opened.push(io);
          return io;
        };
        const result = await verifyTable(target, open, options.deep ? connect.positions : null);
        results.push(result);
        if (!options.json) output.stdout(verifyText(result));
      } catch (thrown) {
        const error = asTabletopicError(thrown);
        errors.push(error);
        if (!options.json) output.stderr(errorText(error));
      }
    }
  } finally {
    await Promise.all(opened.map((io) => io.close()));
    await catalogs.close();
  }
  const ok = errors.length === 0 && results.every((result) => result.ok);
  if (options.json)
    output.stdout(
      `${JSON.stringify({ ok, tables: results, errors: errors.map((error) => errorJson(error).error) })}\n`,
    );
  if (results.some((result) => !result.ok)) return ExitCode.failed;
  return worstExit(errors);
}

/** Patterns need the broker's list of topics; topics by name are enough without one. */
async function planned(
  config: ReturnType<CliContext['loadConfig']>,
  context: CliContext,
  logger: ReturnType<typeof createLogger>,
): Promise<ReturnType<typeof plansFor>> {
  if (config.tables.every((rule) => rule.topicPattern === null)) return plansFor(config, [], true);
  const { source } = await connectSource(config, context, logger);
  try {
    return plansFor(config, await describeTopics(config, source), true);
  } finally {
    await source.close();
  }
}
