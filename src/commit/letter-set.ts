import { objectOf } from './json-object.ts';
import { packNumbers, unpackNumbers } from './packed.ts';

/** Names one dead letter: a record that was decided dead in one checkpoint. After a rollback another may name it anew. */
export interface LetterId {
  readonly checkpointId: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number | bigint;
}

/** A set of dead letters. */
export class LetterSet {
  /** By checkpoint, topic and partition. */
  readonly #offsets = new Map<string, Map<string, Map<number, Set<number>>>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get checkpoints(): readonly string[] {
    return [...this.#offsets.keys()];
  }

  add({ checkpointId, topic, partition, offset }: LetterId): this {
    const topics = entryOf(this.#offsets, checkpointId, () => new Map<string, Map<number, Set<number>>>());
    const partitions = entryOf(topics, topic, () => new Map<number, Set<number>>());
    const offsets = entryOf(partitions, partition, () => new Set<number>());
    if (!offsets.has(Number(offset))) this.#size++;
    offsets.add(Number(offset));
    return this;
  }

  has({ checkpointId, topic, partition, offset }: LetterId): boolean {
    return this.#offsets.get(checkpointId)?.get(topic)?.get(partition)?.has(Number(offset)) ?? false;
  }

  hasCheckpoint(id: string): boolean {
    return this.#offsets.has(id);
  }

  addAll(others: Iterable<LetterId>): this {
    for (const letter of others) this.add(letter);
    return this;
  }

  *[Symbol.iterator](): Generator<LetterId> {
    for (const [checkpointId, topics] of this.#offsets)
      for (const [topic, partitions] of topics)
        for (const [partition, offsets] of partitions)
          for (const offset of offsets) yield { checkpointId, topic, partition, offset };
  }

  /** Content of a replay's file (schemas/dead-letters.schema.json#/$defs/replayed). */
  encode(): Uint8Array {
    const partitionsOf = (partitions: Map<number, Set<number>>): Record<string, unknown> =>
      Object.fromEntries(
        [...partitions].map(([partition, offsets]) => [partition, packNumbers([...offsets].sort((a, b) => a - b))]),
      );
    const checkpoints = Object.fromEntries(
      [...this.#offsets].map(([id, topics]) => [
        id,
        Object.fromEntries([...topics].map(([topic, partitions]) => [topic, partitionsOf(partitions)])),
      ]),
    );
    return new TextEncoder().encode(JSON.stringify({ v: 1, checkpoints }));
  }

  /** Throws `SyntaxError` where the bytes are no such file. */
  static decode(bytes: Uint8Array): LetterSet {
    const json = objectOf(JSON.parse(new TextDecoder().decode(bytes)), 'the replay');
    if (json['v'] !== 1) throw new SyntaxError(`version ${String(json['v'])} of a replay is not known`);
    const set = new LetterSet();
    for (const [checkpointId, topics] of Object.entries(objectOf(json['checkpoints'], 'checkpoints')))
      for (const [topic, partitions] of Object.entries(objectOf(topics, 'topics')))
        for (const [partition, offsets] of Object.entries(objectOf(partitions, 'partitions')))
          for (const offset of unpackNumbers(offsets))
            set.add({ checkpointId, topic, partition: Number(partition), offset });
    return set;
  }
}

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
