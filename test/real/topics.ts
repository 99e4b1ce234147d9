import { type Admin, Kafka, logLevel } from 'kafkajs';

/** Topic administration for tests, through a client that is not ours. */
export class Topics {
  readonly #brokers: string[];

  constructor(brokers: readonly string[]) {
    this.#brokers = [...brokers];
  }

  async #admin<T>(use: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = new Kafka({ brokers: this.#brokers, logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    try {
      return await use(admin);
    } finally {
      await admin.disconnect();
    }
  }

  /** Creates the topic and waits until it has leaders; false when it was there already. */
  create(name: string, partitions = 1, config: Readonly<Record<string, string>> = {}): Promise<boolean> {
    const configEntries = Object.entries(config).map(([key, value]) => ({ name: key, value }));
    const topic = { topic: name, numPartitions: partitions, replicationFactor: 1, configEntries };
    return this.#admin((admin) => admin.createTopics({ topics: [topic], waitForLeaders: true }));
  }

  delete(...names: string[]): Promise<void> {
    return this.#admin((admin) => admin.deleteTopics({ topics: names }));
  }

  /** Raises the number of partitions to `count`. */
  async addPartitions(name: string, count: number): Promise<void> {
    await this.#admin((admin) => admin.createPartitions({ topicPartitions: [{ topic: name, count }] }));
  }

  /** Log start and high watermark of each partition. */
  async offsets(name: string): Promise<{ partition: number; low: number; high: number }[]> {
    const rows = await this.#admin((admin) => admin.fetchTopicOffsets(name));
    return rows
      .map((r) => ({ partition: r.partition, low: Number(r.low), high: Number(r.high) }))
      .sort((a, b) => a.partition - b.partition);
  }

  /** Removes all records below the given offsets, as retention would. */
  async deleteRecords(name: string, below: readonly { partition: number; offset: string }[]): Promise<void> {
    await this.#admin(async (admin) => {
      // kafkajs knows the leaders of a topic only once it was asked for it.
      await admin.fetchTopicOffsets(name);
      await admin.deleteTopicRecords({ topic: name, partitions: [...below] });
    });
  }
}
