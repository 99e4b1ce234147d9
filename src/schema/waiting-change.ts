import { createHash } from 'node:crypto';
import type { WriterFields } from './derive.ts';
import type { Change } from './evolve.ts';
import { changeText } from './policy.ts';

/**
 * A schema change that waits for approval, as the service states it in the table property `tabletopic.waiting.<id>`, so
 * that `status` and `approve` know of it without the service, the registry or the records.
 */
export interface WaitingChange {
  /** Names exactly these changes of exactly this table: twelve hexadecimal digits. */
  readonly id: string;
  /** Whose columns they are: `schema 12`, or `records` where there is no schema. */
  readonly schema: string;
  /** One sentence each. */
  readonly changes: readonly string[];
  /** When an instance first met it (wall clock, ms). */
  readonly since: number;
  readonly writer: WriterFields;
}

const PREFIX = 'tabletopic.waiting.';

export function waitingProperty(id: string): string {
  return `${PREFIX}${id}`;
}

/** The id of changes: equal for every instance, and another as soon as anything of them is another. */
export function changeId(changes: readonly Change[]): string {
  const text = JSON.stringify(changes.map(({ kind, path, from, to }) => [kind, path, from ?? null, to ?? null]));
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

export function waitingChange(
  changes: readonly Change[],
  schema: string,
  since: number,
  writer: WriterFields,
): WaitingChange {
  return {
    id: changeId(changes),
    schema,
    changes: changes.map(changeText),
    since,
    writer: {
      part: writer.part,
      struct: writer.struct,
      aliases: writer.aliases,
      ...(writer.most === undefined ? {} : { most: writer.most }),
    },
  };
}

export function encodeWaiting({ id: _, ...rest }: WaitingChange): string {
  return JSON.stringify({ v: 1, ...rest });
}

/** What waits, by the table's properties, oldest first. A property that another version wrote is passed over. */
export function waitingChanges(properties: Readonly<Record<string, string>> | undefined): WaitingChange[] {
  return Object.entries(properties ?? {})
    .flatMap(([key, text]): WaitingChange[] => {
      if (!key.startsWith(PREFIX)) return [];
      try {
        const { v, ...rest } = JSON.parse(text) as Omit<WaitingChange, 'id'> & { v: number };
        return v === 1 ? [{ ...rest, id: key.slice(PREFIX.length) }] : [];
      } catch {
        return [];
      }
    })
    .sort((a, b) => a.since - b.since || (a.id < b.id ? -1 : 1));
}
