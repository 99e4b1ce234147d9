import type { Config, TablePlan } from '../config/config.ts';
import { ExitCode, TabletopicError, asTabletopicError } from '../errors.ts';
import { type LoadedTable, identText } from '../iceberg/catalog.ts';
import type { FileIO } from '../io/file-io.ts';
import { createLogger } from '../ops/logger.ts';
import type { Source, TopicDescription } from '../source/source.ts';
import { type TablePreview, previewTable } from './check-table.ts';
import { checkText } from './check-text.ts';
import { Catalogs, connectSource, describeTopics, identOf, plansFor, withPatience, worstExit } from './connected.ts';
import type { CliContext, RegistryProbe } from './context.ts';
import { type ErrorJson, errorJson } from './errors.ts';

/** One thing that was tried. */
export interface CheckStep {
  readonly name: string;
  /** Null: there was nothing to try. */
  readonly ok: boolean | null;
  readonly detail: string;
  readonly error: ErrorJson['error'] | null;
}

export interface CheckResult {
  readonly ok: boolean;
  readonly steps: readonly CheckStep[];
  readonly tables: readonly TablePreview[];
}

/**
 * `tabletopic check`: tries everything that `run` needs and shows what it would make, of tables that exist with the
 * newest registered schema; changes nothing. Exit code 3 where that schema would stop a table, wait for approval or
 * make dead letters.
 */
export async function checkCommand(options: { config: string; json: boolean }, context: CliContext): Promise<number> {
  const config = context.loadConfig(options.config, context.env);
  const check = new Check(config, context);
  const { result, exit } = await check.run(options.config);
  context.output.stdout(options.json ? `${JSON.stringify(result)}\n` : checkText(result));
  return exit;
}

class Check {
  readonly #config: Config;
  readonly #context: CliContext;
  readonly #steps: CheckStep[] = [];
  readonly #errors: TabletopicError[] = [];
  readonly #logger;

  constructor(config: Config, context: CliContext) {
    this.#config = config;
    this.#context = context;
    this.#logger = createLogger({ ...config.log, level: 'silent' }, context.output.stderr);
  }

  async run(file: string): Promise<{ result: CheckResult; exit: number }> {
    const { connect, ports } = this.#context;
    const config = this.#config;
    this.#steps.push({
      name: 'configuration',
      ok: true,
      detail: `${file}: ${config.tables.length} rule${config.tables.length === 1 ? '' : 's'}`,
      error: null,
    });
    const topics = await this.#kafka();
    const registry = connect.registry(config, ports, this.#logger);
    const registryUp = await this.#registry(registry);
    const catalogs = new Catalogs(config, this.#context, this.#logger);
    try {
      const reached = new Set<string>();
      for (const name of Object.keys(config.catalogs))
        if (
          await this.#step(`catalog ${name}`, async () => {
            await catalogs.get(name);
            return describeCatalog(config, name);
          })
        )
          reached.add(name);
      const planned = plansFor(config, topics ?? [], topics === null);
      for (const error of planned.collisions) this.#fail('tables', error);
      for (const topic of planned.missing)
        this.#fail(
          `topic ${topic}`,
          new TabletopicError('KAFKA_TOPIC_MISSING', `Topic ${topic} does not exist.`, { where: { topic } }),
        );
      const existing = new Map<TablePlan, LoadedTable | null>();
      for (const plan of planned.plans) {
        if (!reached.has(plan.rule.catalog)) continue;
        await this.#quietly(`table ${identText(plan)}`, async () => {
          existing.set(plan, await (await catalogs.get(plan.rule.catalog)).loadTable(identOf(plan), 'refs'));
        });
      }
      await this.#stores(existing, reached);
      const tables: TablePreview[] = [];
      for (const plan of planned.plans) {
        await this.#quietly(`schema of ${identText(plan)}`, async () => {
          tables.push(
            await previewTable(
              plan,
              existing.get(plan) ?? null,
              registryUp ? registry : null,
              reached.has(plan.rule.catalog),
            ),
          );
        });
      }
      const ok = this.#errors.length === 0;
      const person = tables.some(({ changes }) => changes.some(({ needsPerson }) => needsPerson));
      const exit = ok ? (person ? ExitCode.dataProblem : ExitCode.done) : worstExit(this.#errors);
      return { result: { ok, steps: this.#steps, tables }, exit };
    } finally {
      await catalogs.close();
    }
  }

  /** The topics of the rules; null when the broker could not be asked. */
  async #kafka(): Promise<readonly TopicDescription[] | null> {
    let topics: TopicDescription[] | null = null;
    await this.#step('kafka', async () => {
      const { source, clusterId } = await connectSource(this.#config, this.#context, this.#logger);
      try {
        topics = await describeTopics(this.#config, source);
        await this.#deadLetterTopics(source);
        return `cluster ${clusterId}, ${topics.length} topic${topics.length === 1 ? '' : 's'} of the rules, ${topics.reduce((sum, topic) => sum + topic.partitions.length, 0)} partitions`;
      } finally {
        await source.close();
      }
    });
    return topics;
  }

  async #deadLetterTopics(source: Source): Promise<void> {
    const names = new Set(this.#config.tables.flatMap(({ deadLetterTopic }) => deadLetterTopic ?? []));
    if (names.size === 0) return;
    const found = new Set((await source.describeTopics([...names], [])).map(({ name }) => name));
    for (const topic of names.difference(found))
      this.#fail(
        `dead-letter topic ${topic}`,
        new TabletopicError('KAFKA_TOPIC_MISSING', `Topic ${topic} does not exist.`, {
          hint: 'Create the topic: it is not created by the service.',
          where: { topic },
        }),
      );
  }

  async #registry(registry: RegistryProbe | null): Promise<boolean> {
    if (!registry) {
      this.#steps.push({
        name: 'schema registry',
        ok: null,
        detail: 'none configured: values are read as JSON',
        error: null,
      });
      return false;
    }
    // An address may hold a password.
    const url = this.#config.schemaRegistry!.url.map((one) => one.replace(/\/\/[^@/]*@/, '//…@')).join(', ');
    const late = (): TabletopicError =>
      new TabletopicError('REGISTRY_UNAVAILABLE', `${url} did not answer.`, { where: { url } });
    return this.#step('schema registry', async () => {
      await withPatience(this.#context, late, () => registry.probe());
      return url;
    });
  }

  /** A store is reached by reading one object: a table's metadata file, or one that need not be there. */
  async #stores(existing: ReadonlyMap<TablePlan, LoadedTable | null>, reached: ReadonlySet<string>): Promise<void> {
    const { connect, ports } = this.#context;
    for (const name of reached) {
      const table = [...existing].find(([plan, loaded]) => plan.rule.catalog === name && loaded)?.[1] ?? undefined;
      const warehouse = this.#config.catalogs[name]!.warehouse;
      const location =
        table?.metadataLocation ??
        (warehouse && /^(s3|s3a|file):/.test(warehouse) ? `${warehouse.replace(/\/$/, '')}/.tabletopic-check` : null);
      if (location === null) {
        this.#steps.push({
          name: `storage of ${name}`,
          ok: null,
          detail: 'not tried: no table exists yet, and the catalog decides where tables lie',
          error: null,
        });
        continue;
      }
      await this.#step(`storage of ${name}`, async () => {
        const io = connect.fileIO(this.#config, ports, table);
        try {
          const late = (): TabletopicError =>
            new TabletopicError('STORAGE_UNAVAILABLE', `The store of ${location} did not answer.`, {
              where: { location },
            });
          await withPatience(this.#context, late, () => reach(io, location, table !== undefined));
          return table ? location : warehouse!;
        } finally {
          await io.close();
        }
      });
    }
  }

  async #step(name: string, work: () => Promise<string>): Promise<boolean> {
    try {
      this.#steps.push({ name, ok: true, detail: await work(), error: null });
      return true;
    } catch (thrown) {
      this.#fail(name, thrown);
      return false;
    }
  }

  /** Notes only a failure. */
  async #quietly(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      this.#fail(name, thrown);
    }
  }

  #fail(name: string, thrown: unknown): void {
    const error = asTabletopicError(thrown);
    this.#errors.push(error);
    this.#steps.push({ name, ok: false, detail: error.message, error: errorJson(error).error });
  }
}

/** By a read, not a look: an answer without a body cannot say that the credentials are wrong or the bucket is missing. */
async function reach(io: FileIO, location: string, exists: boolean): Promise<void> {
  try {
    await io.read(location, { offset: 0, length: 1 });
  } catch (thrown) {
    const error = asTabletopicError(thrown);
    const bucketMissing = error.cause instanceof Error && error.cause.name === 'NoSuchBucket';
    if (error.code !== 'STORAGE_NOT_FOUND' || exists || bucketMissing) throw error;
  }
}

function describeCatalog(config: Config, name: string): string {
  const catalog = config.catalogs[name]!;
  // A database address may hold a password.
  const uri = catalog.uri.replace(/\/\/[^@/]*@/, '//…@');
  return catalog.type === 'sql' ? `${uri}, rows under catalog name ${catalog.catalogName}` : uri;
}
