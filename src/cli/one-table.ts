import type { Config, TablePlan } from '../config/config.ts';
import { DeadLetterProjection, deadLetterIdent } from '../commit/projection.ts';
import { TabletopicError, asTabletopicError } from '../errors.ts';
import { type LoadedTable, identText } from '../iceberg/catalog.ts';
import type { FileIO } from '../io/file-io.ts';
import type { ChangeTarget } from '../maintain/change.ts';
import { type TopicLog, topicLog } from '../maintain/topic-log.ts';
import { createLogger } from '../ops/logger.ts';
import {
  Catalogs,
  connectSource,
  describeTopics,
  identOf,
  plansFor,
  selectOrUnlisted,
  selectPlans,
  withPatience,
} from './connected.ts';
import type { CliContext } from './context.ts';

export interface OpenedTable {
  readonly config: Config;
  readonly plan: TablePlan;
  readonly target: ChangeTarget;
  /** Null where the command works without a broker. */
  readonly log: TopicLog | null;
}

export interface OneTableOptions {
  readonly config: string;
  readonly table: string;
}

/**
 * Opens one table, and the broker where `withLog` is set or a pattern asks for it; closes everything after `work`.
 * `unlisted`: also a table that no rule gives.
 */
export async function withTable<T>(
  { table, unlisted = false, ...options }: OneTableOptions & { readonly unlisted?: boolean },
  withLog: boolean,
  context: CliContext,
  work: (opened: OpenedTable) => Promise<T>,
): Promise<T> {
  const config = context.loadConfig(options.config, context.env);
  const logger = createLogger({ ...config.log, level: 'error' }, context.output.stderr);
  const patterns = config.tables.some((rule) => rule.topicPattern !== null);
  const broker = withLog || patterns ? await connectSource(config, context, logger) : null;
  const catalogs = new Catalogs(config, context, logger);
  const stores = new Stores(config, context);
  try {
    const topics = broker ? await describeTopics(config, broker.source) : [];
    const { plans } = plansFor(config, topics, true);
    const plan = (unlisted ? await selectOrUnlisted(plans, table, catalogs) : selectPlans(plans, table))[0]!;
    const catalog = await catalogs.get(plan.rule.catalog);
    const own = topics.filter(({ name }) => plan.topics.includes(name));
    return await work({
      config,
      plan,
      target: {
        address: { catalog, ident: identOf(plan), branch: plan.rule.branch },
        io: (loaded) => stores.of(loaded),
        ports: context.ports,
      },
      log: broker ? topicLog(broker.source, own, broker.clusterId) : null,
    });
  } finally {
    await stores.close();
    await catalogs.close();
    await broker?.source.close();
  }
}

/** Brings the dead-letter table in line with main now; what goes wrong is a warning, for a running service does it too. */
export async function projectDeadLetters({ address: { catalog, ident }, io, ports }: ChangeTarget): Promise<string[]> {
  const projection = new DeadLetterProjection({ catalog, main: ident, target: deadLetterIdent(ident), io, ports });
  try {
    const late = (): TabletopicError =>
      new TabletopicError(
        'CATALOG_UNAVAILABLE',
        `${identText(deadLetterIdent(ident))} was not brought up to date in time`,
      );
    await withPatience({ ports }, late, (signal) => projection.run(signal));
    return [];
  } catch (thrown) {
    return [
      `the dead-letter table is behind until the service brings it up to date: ${asTabletopicError(thrown).message}`,
    ];
  }
}

/** One client for each set of vended credentials. */
class Stores {
  readonly #open = new Map<string, FileIO>();
  readonly #connect: (table: LoadedTable) => FileIO;

  constructor(config: Config, context: CliContext) {
    this.#connect = (table) => context.connect.fileIO(config, context.ports, table);
  }

  of(table: LoadedTable): FileIO {
    const key = JSON.stringify(table.config);
    let io = this.#open.get(key);
    if (!io) this.#open.set(key, (io = this.#connect(table)));
    return io;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((io) => io.close()));
  }
}
