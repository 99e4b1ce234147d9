import type { Change } from './evolve.ts';

/**
 * Which changes of a table's schema are made without asking (`schemaChanges`):
 * - `auto`: all that Iceberg can express;
 * - `additive`: new optional columns; any other change waits for approval;
 * - `manual`: every change waits.
 */
export type SchemaPolicy = 'auto' | 'additive' | 'manual';

/** True when these changes, which belong together, are made without approval. */
export function allowed(policy: SchemaPolicy, changes: readonly Change[]): boolean {
  if (policy === 'auto') return true;
  return policy === 'additive' ? changes.every(({ kind }) => kind === 'add') : changes.length === 0;
}

/** One change as a person reads it. */
export function changeText({ kind, path, from, to }: Change): string {
  switch (kind) {
    case 'add':
      return `add column ${path} ${to ?? ''}`;
    case 'widen':
      return `widen ${path} from ${from ?? ''} to ${to ?? ''}`;
    case 'optional':
      return `make ${path} optional`;
    case 'rename':
      return `rename ${path} to ${to ?? ''}`;
  }
}
