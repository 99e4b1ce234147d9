import { ExitCode } from '../errors.ts';
import type { Publishing } from '../maintain/fork.ts';
import type { BackfillResult } from './backfill.ts';
import type { BackfillOptions } from './backfill-plan.ts';

type Target = Pick<BackfillOptions, 'config' | 'into' | 'branch'>;

/** What has to be done, and to be left alone, so that main can take over what the branch gets; one step a line. */
export function publishSteps({ main, base, forward }: Publishing, { config, into, branch }: Target): string[] {
  const publish = `tabletopic publish -c ${config} --table ${into} --branch ${branch}`;
  if (forward)
    return [
      main === null
        ? `${into} has nothing on main yet. If nothing else writes main before, it takes over the branch by`
        : `main of ${into} stands at snapshot ${main}, where branch ${branch} begins. If nothing else writes main before, it takes over the branch by`,
      `    ${publish}`,
    ];
  if (base === null)
    return [
      `main of ${into} and branch ${branch} have no snapshot in common: the branch can be read and verified, never published.`,
    ];
  return [
    `main of ${into} has moved on, to snapshot ${main}, since branch ${branch} began at ${base}: as it is, the branch can be read and verified, not published. To have main take it over, stop the service that writes main, then`,
    `    tabletopic rollback -c ${config} --table ${into} --to ${base}`,
    `    ${publish}`,
    `and start the service: it goes on from the branch's offsets.`,
  ];
}

export function backfillText(result: BackfillResult, options: Target): string {
  const { exit, topic, table, branch, partitions, rows, deadLetters, totalRows, publish } = result;
  const place = branch === 'main' ? table : `branch ${branch} of ${table}`;
  const count = `: ${rows} rows and ${deadLetters} dead letters came in this run${totalRows === null ? '' : `, ${totalRows} rows are there`}`;
  const lines = [
    exit === ExitCode.done
      ? `${place} holds the range of ${topic}${count}`
      : `${place} does not hold the range of ${topic} yet${count}; the same command goes on where it stopped`,
    ...partitions.map(({ partition, from, to }) => `    ${topic}[${partition}] offsets ${from} to ${to - 1}`),
    ...(publish ? publishSteps(publish, options) : []),
  ];
  return `${lines.join('\n')}\n`;
}
