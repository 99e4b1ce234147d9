import type { Logger } from 'pino';
import type { RegistryConfig, TableOptions } from '../config/config.ts';
import { TabletopicError } from '../errors.ts';
import type { Ports } from '../ports.ts';
import { createRegistry } from '../registry/client.ts';
import type { RegisteredSchema, Registry, RegistryHealth } from '../registry/registry.ts';
import { convertAvro } from '../schema/avro.ts';
import type { LayoutSource, WriterSchema } from './layouts.ts';

/** The registry's schemas as columns of tables. One client for all tables, so that a schema is fetched once. */
export class RegistryLayouts {
  readonly #registry: Registry;
  readonly #log: Logger;

  constructor(config: RegistryConfig, ports: Ports, logger: Logger, onHealth: RegistryHealth) {
    this.#log = logger;
    this.#registry = createRegistry(config, ports, (error) => {
      if (error)
        this.#log.warn({ code: error.code, hint: error.hint, ...error.where }, `${error.message}; trying again`);
      onHealth(error);
    });
  }

  /** A table's view: the same schema may become other types under other options. */
  forTable(options: TableOptions): LayoutSource {
    return {
      byId: async (id, signal) =>
        converted(await this.#registry.schema(typeof id === 'number' ? id : id.guid, signal), options),
      latest: async (topics, signal) => {
        for (const topic of topics) {
          const schema = await this.#registry.latest(`${topic}-value`, signal);
          if (schema?.type === 'AVRO') return converted(schema, options);
        }
        return null;
      },
    };
  }
}

function converted({ id, type, text, references }: RegisteredSchema, options: TableOptions): WriterSchema {
  if (type !== 'AVRO') {
    throw new TabletopicError('SCHEMA_UNSUPPORTED', `schema ${id ?? ''} is of type ${type}; Avro is read`, {
      where: { schema: id ?? '', type },
    });
  }
  const { struct, aliases } = convertAvro(text, references, options);
  return { format: 'avro', text, references, struct, aliases };
}
