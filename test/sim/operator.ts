import type { Config } from '../../src/config/config.ts';
import { TabletopicError } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/errors.ts';
import type { MemoryCatalog } from '../../src/iceberg/memory.ts';
import type { MemoryFileIO } from '../../src/io/memory.ts';
import { adoptTopics } from '../../src/maintain/adopt.ts';
import { publishBranch } from '../../src/maintain/publish.ts';
import { topicLog } from '../../src/maintain/topic-log.ts';
import type { Ports } from '../../src/ports.ts';
import type { Isolation } from '../../src/source/source.ts';
import type { SimBroker } from './broker.ts';
import type { Checker } from './checker.ts';

/** The person who runs the service, with its own commands. */
export class Operator {
  readonly #broker: SimBroker;
  readonly #catalog: MemoryCatalog;
  readonly #io: MemoryFileIO;
  readonly #isolation: Isolation;
  readonly #ports: Ports;

  constructor(broker: SimBroker, catalog: MemoryCatalog, io: MemoryFileIO, isolation: Isolation, ports: Ports) {
    this.#broker = broker;
    this.#catalog = catalog;
    this.#io = io;
    this.#isolation = isolation;
    this.#ports = ports;
  }

  /**
   * `tabletopic adopt`: a topic that was made anew is read from its beginning, any other from where the table stands, as far
   * as the log reaches.
   */
  async adopt(checker: Checker): Promise<string> {
    const { namespace, name, branch, topics } = checker.table;
    const offsets = new Map<`${string}:${number}`, number>();
    for (const topic of topics) {
      const found = this.#broker.topics.get(topic);
      if (!found) return '';
      const stated = checker.statement()?.topics[topic];
      found.partitions.forEach(({ log }, p) => {
        const stands = stated?.id === found.id ? (stated.next[p] ?? 0) : 0;
        offsets.set(`${topic}:${p}`, Math.max(log.logStart, Math.min(this.#end(topic, p), stands)));
      });
    }
    const { snapshotId, topics: adopted } = await adoptTopics({
      address: { catalog: this.#catalog, ident: { namespace, name }, branch },
      io: () => this.#io,
      ports: this.#ports,
      topics,
      topic: null,
      offsets,
      log: topicLog(
        {
          listOffsets: (queries) =>
            Promise.resolve(
              queries.map(({ topic, partition, at }) =>
                at === 'earliest'
                  ? this.#broker.topics.get(topic)!.partitions[partition]!.log.logStart
                  : this.#end(topic, partition),
              ),
            ),
        },
        this.#broker.describe(topics, []),
        this.#broker.clusterId,
      ),
    });
    if (snapshotId !== null) checker.adopted(BigInt(snapshotId));
    return `${adopted.map(({ topic }) => topic).join(', ')} adopted in ${snapshotId}`;
  }

  #end(topic: string, partition: number): number {
    const { log } = this.#broker.topics.get(topic)!.partitions[partition]!;
    return this.#isolation === 'read_committed' ? log.lastStableOffset : log.end;
  }

  async publish(checker: Checker): Promise<string> {
    const { namespace, name, branch } = checker.table;
    try {
      const { to, addedRows } = await publishBranch({
        address: { catalog: this.#catalog, ident: { namespace, name } },
        branch,
        ports: this.#ports,
      });
      return `main of ${name} is put to ${to}, with ${addedRows} rows more`;
    } catch (error) {
      const refusals: readonly ErrorCode[] = ['USAGE', 'BRANCH_DIVERGED', 'TABLE_NOT_FOUND'];
      if (error instanceof TabletopicError && refusals.includes(error.code)) return error.message;
      throw error;
    }
  }

  /** What the configuration should say, so that a table that stopped for `code` goes on. */
  static corrected(config: Config, code: ErrorCode): Config {
    if (code !== 'TABLE_CHANGED') return config;
    return { ...config, tables: config.tables.map((rule) => ({ ...rule, onDropped: 'recreate' })) };
  }
}
