import { runOf } from './sink.ts';
import { tableFigures } from './table.ts';
import { ProcessWatch } from './watch.ts';
import type { Job, Sink, SinkRun } from './sink.ts';
import type { ServiceFiles } from '../end-to-end/service-process.ts';
import type { Environment } from '../real/stack.ts';

/** `tabletopic run --until-caught-up`, from the start of the process to its end. */
export class Ours implements Sink {
  readonly name = 'tabletopic';
  readonly #servers: Environment;
  readonly #files: ServiceFiles;

  constructor(servers: Environment, files: ServiceFiles) {
    this.#servers = servers;
    this.#files = files;
  }

  async run({ topics, suffix, intervalMs, partitionBy }: Job): Promise<SinkRun> {
    const tables = topics.map((topic) => ({ topic, table: `${topic}${suffix}`, ...(partitionBy && { partitionBy }) }));
    const config = this.#files.write(tables[0]!.table, tables, {
      http: 'off',
      defaults: { commitInterval: `${intervalMs}ms` },
    });
    const service = this.#files.run(config, '--until-caught-up');
    const watch = new ProcessWatch(service.child.pid!);
    try {
      await service.ends();
    } finally {
      await watch.end();
    }
    const written = await tableFigures(
      this.#servers.catalog,
      tables.map(({ table }) => table),
    );
    return runOf(watch, written);
  }
}
