import type { Config, TablePlan } from '../config/config.ts';
import { planTables } from '../config/plan.ts';
import { ExitCode, TabletopicError, asTabletopicError } from '../errors.ts';
import { type Catalog, type TableIdent, identText } from '../iceberg/catalog.ts';
import type { Logger } from '../ops/logger.ts';
import type { Source, TopicDescription } from '../source/source.ts';
import type { CliContext } from './context.ts';

/** How long a command that only looks waits for a server. */
const patience = 10_000;

/** Runs `work` with a signal that aborts after the command's patience, with `error` as its reason. */
export async function withPatience<T>(
  { ports }: Pick<CliContext, 'ports'>,
  error: () => TabletopicError,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const done = new AbortController();
  const timer = ports.clock.sleep(patience, done.signal).then(
    () => late.abort(error()),
    () => undefined,
  );
  try {
    return await Promise.race([
      work(late.signal),
      new Promise<never>((_, reject) =>
        late.signal.addEventListener('abort', () => reject(late.signal.reason as Error)),
      ),
    ]);
  } finally {
    done.abort();
    await timer;
  }
}

/** Connects to the brokers, for reading what topics there are; joins no group. */
export async function connectSource(
  config: Config,
  context: CliContext,
  logger: Logger,
): Promise<{ source: Source; clusterId: string }> {
  const source = context.connect.source(config, context.ports, logger);
  try {
    const unavailable = (): TabletopicError =>
      new TabletopicError(
        'KAFKA_UNAVAILABLE',
        `No broker of ${config.kafka.brokers.join(', ')} answered within ${patience / 1000} s.`,
        { where: { brokers: config.kafka.brokers.join(',') } },
      );
    return { source, ...(await withPatience(context, unavailable, (signal) => source.connect(signal))) };
  } catch (error) {
    await source.close();
    throw error;
  }
}

export function describeTopics(config: Config, source: Source): Promise<TopicDescription[]> {
  return source.describeTopics(
    config.tables.flatMap((rule) => (rule.topic === null ? [] : [rule.topic])),
    config.tables.flatMap((rule) => (rule.topicPattern === null ? [] : [rule.topicPattern])),
  );
}

export async function connectCatalog(
  config: Config,
  name: string,
  context: CliContext,
  logger: Logger,
): Promise<Catalog> {
  const catalog = context.connect.catalog(config, name, context.ports, logger);
  try {
    const unavailable = (): TabletopicError =>
      new TabletopicError('CATALOG_UNAVAILABLE', `Catalog ${name} did not answer within ${patience / 1000} s.`, {
        where: { catalog: name },
      });
    await withPatience(context, unavailable, () => catalog.connect());
    return catalog;
  } catch (error) {
    await catalog.close();
    throw error;
  }
}

/** The tables that the rules give for these topics; topics that only a rule names count as existing when `assume`. */
export function plansFor(
  config: Config,
  topics: readonly { readonly name: string }[],
  assume: boolean,
): ReturnType<typeof planTables> {
  const named = assume ? config.tables.flatMap((rule) => (rule.topic === null ? [] : [{ name: rule.topic }])) : [];
  return planTables(config.tables, [...topics, ...named]);
}

export function identOf(plan: TablePlan): TableIdent {
  return { namespace: plan.namespace, name: plan.name };
}

/** The plans of one table, or all; rejects with `USAGE` when no rule gives that table. */
export function selectPlans(plans: readonly TablePlan[], table: string | undefined): readonly TablePlan[] {
  if (table === undefined) return plans;
  const chosen = plans.filter((plan) => identText(plan) === table);
  if (chosen.length > 0) return chosen;
  throw new TabletopicError('USAGE', `No rule of the configuration gives a table ${table}.`, {
    hint: `Tables: ${plans.map((plan) => identText(plan)).join(', ') || 'none'}.`,
    where: { table },
  });
}

/** As `selectPlans`, and also a table that no rule gives and that is there all the same: one that a backfill wrote. */
export async function selectOrUnlisted(
  plans: readonly TablePlan[],
  table: string | undefined,
  catalogs: Pick<Catalogs, 'get'>,
): Promise<readonly TablePlan[]> {
  const listed = table === undefined || plans.some((plan) => identText(identOf(plan)) === table);
  if (!listed && table.includes('.')) {
    const levels = table.split('.');
    const ident = { namespace: levels.slice(0, -1), name: levels.at(-1)! };
    for (const rule of new Map(plans.map((plan) => [plan.rule.catalog, plan.rule])).values()) {
      if (await (await catalogs.get(rule.catalog)).loadTable(ident, 'refs'))
        return [{ ...ident, rule: { ...rule, branch: 'main' }, topics: [] }];
    }
  }
  return selectPlans(plans, table);
}

/** A branch that is not there would be taken for one that stands where main does. */
export async function checkBranch({
  catalog,
  ident,
  branch,
}: {
  readonly catalog: Catalog;
  readonly ident: TableIdent;
  readonly branch: string;
}): Promise<void> {
  const refs = (await catalog.loadTable(ident, 'refs'))?.metadata.refs;
  if (refs && refs[branch]?.type !== 'branch')
    throw new TabletopicError('USAGE', `${identText(ident)} has no branch ${branch}.`, {
      hint: `Branches: ${Object.keys(refs)
        .filter((name) => refs[name]!.type === 'branch')
        .join(', ')}.`,
      where: { table: identText(ident), branch },
    });
}

/** Opens each catalog once, when it is first asked for. */
export class Catalogs {
  readonly #open = new Map<string, Promise<Catalog>>();
  readonly #connect: (name: string) => Promise<Catalog>;

  constructor(config: Config, context: CliContext, logger: Logger) {
    this.#connect = (name) => connectCatalog(config, name, context, logger);
  }

  get(name: string): Promise<Catalog> {
    let catalog = this.#open.get(name);
    if (!catalog) this.#open.set(name, (catalog = this.#connect(name)));
    return catalog;
  }

  async close(): Promise<void> {
    for (const catalog of this.#open.values()) {
      const opened = await catalog.catch(() => null);
      await opened?.close();
    }
  }
}

/** The gravest of several exit codes: usage before data problem before failure. */
export function worstExit(errors: readonly unknown[]): number {
  const codes = errors.map((error) => asTabletopicError(error).exit);
  return [ExitCode.usage, ExitCode.dataProblem, ExitCode.failed].find((code) => codes.includes(code)) ?? ExitCode.done;
}
