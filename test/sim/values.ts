import avro from 'avsc';
import type { Produced, Values } from './broker.ts';
import type { Plan } from './plan.ts';
import type { SeededRandom } from './random.ts';
import type { SimRegistry } from './registry.ts';

interface Field {
  name: string;
  type: unknown;
  default?: null;
  aliases?: string[];
}

interface Version {
  readonly id: number;
  readonly fields: readonly Field[];
  readonly type: avro.Type;
}

type Next = Pick<Produced, 'value' | 'mark'>;

/** What tells the record of a row: its id, with the value of its number where that has a column of its own. */
export const markOf: Record<Plan['format'] | 'bytes', (row: Record<string, unknown>) => string> = {
  string: ({ value }) => String(value).trimEnd(),
  bytes: ({ value }) => Buffer.from(value as Uint8Array).toString('hex'),
  json: ({ id }) => String(id),
  avro: ({ id, n, renamed }) => `${String(id)} ${String(n ?? renamed)}`,
};

/** Producers of a format. Those of Avro register further versions in the course of a run, and go on writing older ones. */
export class Producers implements Values {
  readonly #plan: Plan;
  readonly #registry: SimRegistry;
  readonly #versions = new Map<string, Version[]>();
  #changes = 0;

  constructor(plan: Plan, registry: SimRegistry) {
    this.#plan = plan;
    this.#registry = registry;
  }

  next(random: SeededRandom, topic: string, id: string): Next {
    const { format, poison, padding } = this.#plan;
    switch (format) {
      case 'string':
        return { value: Buffer.from(id.padEnd(id.length + padding)), mark: id };
      case 'json': {
        if (poison > 0 && random.chance(poison)) return { value: Buffer.from(`{"id": ${id}`), mark: id };
        const more = random.chance(0.1) ? { [`f${random.below(3)}`]: true } : {};
        const pad = padding > 0 ? { pad: ' '.repeat(padding) } : {};
        return { value: Buffer.from(JSON.stringify({ id, n: random.below(100), ...more, ...pad })), mark: id };
      }
      case 'avro':
        return this.#avro(random, topic, id);
    }
  }

  /** The next version of a topic's schema, compatible with all before; what changed. */
  evolve(random: SeededRandom, topic: string): string {
    const { fields } = this.#versionsOf(topic).at(-1)!;
    const changes = [
      () => [...fields, { name: `a${++this.#changes}`, type: ['null', 'int'], default: null }],
      () => fields.map((field) => (field.type === 'int' ? { ...field, type: 'long' } : field)),
      () => fields.map((field) => (field.type === 'float' ? { ...field, type: 'double' } : field)),
      () => fields.map((field) => (field.name === 'n' ? { ...field, name: 'renamed', aliases: ['n'] } : field)),
      () => fields.filter(({ name }) => !/^(a\d+|x)$/.test(name)),
      () => fields.map((field) => (field.name === 'inner' ? { ...field, type: wider(field.type as Inner) } : field)),
    ];
    const version = this.#register(topic, random.pick(changes)());
    return `${topic} has schema ${version.id}: ${version.fields.map(({ name }) => name).join()}`;
  }

  #avro(random: SeededRandom, topic: string, id: string): Next {
    const { poison, padding } = this.#plan;
    const versions = this.#versionsOf(topic);
    // Producers are rolled out one by one.
    const version = versions[Math.max(0, versions.length - 1 - random.below(3))]!;
    const n = random.below(100);
    const record = Object.fromEntries(
      version.fields.map(({ name, type }) => [name, valueOf(name, type, random, { id, n, padding })]),
    );
    const head = Buffer.alloc(5);
    const unknown = poison > 0 && random.chance(poison / 2);
    head.writeInt32BE(unknown ? 9000 : version.id, 1);
    const body = version.type.toBuffer(record);
    const cut = !unknown && poison > 0 && random.chance(poison / 2);
    return { value: Buffer.concat([head, cut ? body.subarray(0, -1) : body]), mark: `${id} ${n}` };
  }

  #versionsOf(topic: string): Version[] {
    if (!this.#versions.has(topic))
      this.#register(topic, [
        { name: 'id', type: 'string' },
        { name: 'n', type: 'int' },
        { name: 'x', type: 'float' },
        { name: 'inner', type: { type: 'record', name: 'Inner', fields: [{ name: 'i', type: 'int' }] } },
        ...(this.#plan.padding > 0 ? [{ name: 'pad', type: 'string' }] : []),
      ]);
    return this.#versions.get(topic)!;
  }

  #register(topic: string, fields: readonly Field[]): Version {
    const schema = { type: 'record', name: 'Event', fields };
    const text = JSON.stringify(schema);
    const version = {
      id: this.#registry.register(`${topic}-value`, text),
      fields,
      type: avro.Type.forSchema(JSON.parse(text) as avro.Schema),
    };
    this.#versions.set(topic, [...(this.#versions.get(topic) ?? []), version]);
    return version;
  }
}

interface Inner {
  readonly fields: readonly Field[];
}

function wider(inner: Inner): unknown {
  const { fields } = inner;
  return {
    ...inner,
    fields: [...fields, { name: `i${fields.length}`, type: ['null', 'string'], default: null }],
  };
}

function valueOf(
  name: string,
  type: unknown,
  random: SeededRandom,
  { id, n, padding }: { id: string; n: number; padding: number },
): unknown {
  if (name === 'id') return id;
  if (name === 'n' || name === 'renamed') return n;
  if (name === 'pad') return ' '.repeat(padding);
  if (name === 'x') return random.below(8) / 2;
  if (name === 'inner') {
    const { fields } = type as Inner;
    return Object.fromEntries(fields.map((field) => [field.name, field.name === 'i' ? random.below(9) : null]));
  }
  return random.chance(0.5) ? null : random.below(50);
}
