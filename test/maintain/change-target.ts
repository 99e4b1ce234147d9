import { MemoryCatalog, type MemoryCatalogHooks } from '../../src/iceberg/memory.ts';
import type { ChangeTarget } from '../../src/maintain/change.ts';
import type { TopicLog } from '../../src/maintain/topic-log.ts';
import { TOPIC, type World, ident } from '../commit/world.ts';

/** A client of the world's catalog whose commits a test may disturb. */
export function catalogOf(world: World, commit: NonNullable<MemoryCatalogHooks['commit']>): MemoryCatalog {
  return new MemoryCatalog(world.ports, { state: world.state, hooks: { commit } });
}

/** The world's table as commands that change it see it. */
export function targetOf(world: World, branch = 'main'): ChangeTarget {
  return { address: { catalog: world.catalog, ident, branch }, io: () => world.io, ports: world.ports };
}

/** The world's topic, of which the log still has everything. */
export function logOf(world: World): TopicLog {
  return {
    identities: { [TOPIC]: world.identity },
    partitions: { [TOPIC]: world.partitions },
    bounds: (partitions) => Promise.resolve(partitions.map(() => ({ start: 0, end: 1000 }))),
  };
}
