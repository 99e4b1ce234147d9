import { InvalidArgumentError } from 'commander';
import { ExitCode } from '../errors.ts';
import { type AdoptOffsets, type AdoptResult, adoptTopics } from '../maintain/adopt.ts';
import type { CliContext } from './context.ts';
import { type OneTableOptions, withTable } from './one-table.ts';

/** `tabletopic adopt`: accepts a re-created topic or a moved cluster, or says where a table stands that no longer knows. */
export async function adoptCommand(
  options: OneTableOptions & { json: boolean; topic?: string; offsets?: AdoptOffsets },
  context: CliContext,
): Promise<number> {
  const result = await withTable(options, true, context, ({ target, plan, log }) =>
    adoptTopics({
      ...target,
      topics: plan.topics,
      topic: options.topic ?? null,
      offsets: options.offsets ?? null,
      log: log!,
    }),
  );
  context.output.stdout(options.json ? `${JSON.stringify(result)}\n` : adoptText(result));
  return ExitCode.done;
}

/** `earliest`, `latest`, `table`, or `0:5,1:7` (also written as `{0: 5, 1: 7}`), with several topics `shop.orders:0:5,…`. */
export function parseAdoptOffsets(text: string): AdoptOffsets {
  if (text === 'earliest' || text === 'latest' || text === 'table') return text;
  const offsets = new Map<number | `${string}:${number}`, number>();
  for (const pair of text.replace(/^\{|\}$/g, '').split(',')) {
    const [, topic, partition, offset] = /^\s*(?:([\w.-]+):)?(\d{1,9})\s*:\s*(\d{1,15})\s*$/.exec(pair) ?? [];
    if (partition === undefined)
      throw new InvalidArgumentError(
        'Write earliest, latest, table or 0:OFFSET,1:OFFSET,…; with several topics TOPIC:0:OFFSET,….',
      );
    offsets.set(topic === undefined ? Number(partition) : `${topic}:${Number(partition)}`, Number(offset));
  }
  return offsets;
}

function adoptText({ table, branch, snapshotId, topics, skipped }: AdoptResult): string {
  if (snapshotId === null) return `${table} (${branch}) is fed from the topics that it knows; nothing was changed\n`;
  const lines = [
    `${table} (${branch}) goes on as snapshot ${snapshotId} says; restart a service in which it has stopped`,
  ];
  for (const { topic, before, after, partitions } of topics) {
    lines.push(
      `    ${topic}: topic ${after.id} of cluster ${after.cluster}${before ? `, before topic ${before.id} of cluster ${before.cluster}` : ''}`,
    );
    for (const { partition, from, to } of partitions)
      lines.push(`    ${topic}[${partition}] stood at ${from ?? 'an unknown offset'}, goes on at ${to}`);
  }
  for (const { topic, partition, from, to } of skipped)
    lines.push(`    SKIPPED ${topic}[${partition}] offsets ${from} to ${to - 1}: recorded as a gap`);
  return `${lines.join('\n')}\n`;
}
