import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { ExitCode } from '../errors.ts';
import type { AdoptOffsets } from '../maintain/adopt.ts';
import type { RollbackTo } from '../maintain/rollback.ts';
import { version } from '../version.ts';
import { adoptCommand, parseAdoptOffsets } from './adopt.ts';
import { approveCommand } from './approve.ts';
import { backfillCommand } from './backfill.ts';
import { type BackfillOptions, parseBound, parseRate } from './backfill-plan.ts';
import { checkCommand } from './check.ts';
import type { CliContext } from './context.ts';
import { demoCommand } from './demo.ts';
import { reportError } from './errors.ts';
import { publishCommand } from './publish.ts';
import { type ReplayOptions, parseReplayOffsets, parseSince, replayCommand } from './replay.ts';
import { parseRollbackTo, rollbackCommand } from './rollback.ts';
import { runCommand } from './run.ts';
import { statusCommand } from './status.ts';
import { verifyCommand } from './verify.ts';

/** Runs one command; resolves with the exit code. Errors are printed, never thrown. */
export async function main(argv: readonly string[], context: CliContext): Promise<number> {
  const json = argv.includes('--json');
  let exit: number = ExitCode.done;
  const ends = (work: Promise<number>): Promise<void> =>
    work.then((code) => {
      exit = code;
    });
  const program = new Command('tabletopic')
    .description('Kafka topics as Apache Iceberg tables, exactly once.')
    .version(version)
    .exitOverride()
    .configureOutput({ writeOut: context.output.stdout, writeErr: context.output.stderr })
    .showHelpAfterError('Run with --help for what there is.')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 failed, 2 bad usage or configuration, 3 stopped on a data problem that needs a person.',
    );

  configured(program, 'run', 'run the service')
    .option('--until-caught-up', 'end when every table holds all offsets up to the ends seen at start')
    .action((options: { config: string; json?: boolean; untilCaughtUp?: boolean }) =>
      ends(
        runCommand({ ...options, untilCaughtUp: options.untilCaughtUp ?? false, json: options.json ?? false }, context),
      ),
    );
  program
    .command('demo')
    .description(
      'show the whole path on this machine, with nothing installed: embedded broker, SQLite catalog, local warehouse',
    )
    .option('--records <n>', 'produce so many records (default: for as long as it runs)', positive)
    .option('--rate <n>', 'records produced each second', positive)
    .option('--exit', 'end when all records are in the tables')
    .option('--port <n>', 'port of the status page', port)
    .option('--json', 'last line is one JSON object')
    .action((options: { records?: number; rate?: number; exit?: boolean; json?: boolean; port?: number }) =>
      ends(demoCommand(options, context)),
    );
  configured(
    program,
    'check',
    'validate the file, reach every server, show the tables and schemas; changes nothing',
  ).action((options: { config: string; json?: boolean }) =>
    ends(checkCommand({ ...options, json: options.json ?? false }, context)),
  );
  configured(
    program,
    'status',
    'show offsets, lag, freshness, last commit, schema, files and dead letters of each table',
  )
    .option('--table <name>', 'only this table')
    .action((options: { config: string; json?: boolean; table?: string }) =>
      ends(statusCommand({ ...options, json: options.json ?? false }, context)),
    );
  configured(program, 'verify', 'prove that no record is missing or twice in the tables; exit code 1 if one is')
    .option('--table <name>', 'only this table; also one that only a backfill writes')
    .option('--branch <name>', 'this branch (default: the one of the table’s rule)')
    .option('--deep', 'read the positions of all rows, not only the metadata')
    .action((options: { config: string; json?: boolean; table?: string; branch?: string; deep?: boolean }) =>
      ends(verifyCommand({ ...options, json: options.json ?? false, deep: options.deep ?? false }, context)),
    );
  configured(
    program,
    'rollback',
    'put a table, and with it the offsets, back to a snapshot: what came after is read again',
  )
    .requiredOption('--table <name>', 'the table')
    .addOption(
      new Option('--to <snapshot or time>', 'snapshot id, or the newest snapshot at a time, as 2026-01-31T00:00:00Z')
        .argParser(parseRollbackTo)
        .makeOptionMandatory(),
    )
    .option('--accept-loss', 'go back even where the log no longer has the records; the gap is recorded')
    .action((options: { config: string; json?: boolean; table: string; to: RollbackTo; acceptLoss?: boolean }) =>
      ends(
        rollbackCommand({ ...options, json: options.json ?? false, acceptLoss: options.acceptLoss ?? false }, context),
      ),
    );
  configured(
    program,
    'adopt',
    'accept a topic that was made anew, a cluster that has moved, or say where a table stands',
  )
    .requiredOption('--table <name>', 'the table')
    .option('--topic <name>', 'only this topic (default: those that changed)')
    .addOption(
      new Option('--offsets <where>', 'where to go on: earliest, latest, table, or 0:OFFSET,1:OFFSET,…').argParser(
        parseAdoptOffsets,
      ),
    )
    .action((options: { config: string; json?: boolean; table: string; topic?: string; offsets?: AdoptOffsets }) =>
      ends(adoptCommand({ ...options, json: options.json ?? false }, context)),
    );
  configured(program, 'approve', 'make schema changes that wait for approval (`schemaChanges`); their records go on')
    .requiredOption('--table <name>', 'the table')
    .addOption(new Option('--change <id>', 'this change, as `status` and the log name it').conflicts('all'))
    .option('--all', 'all changes that wait')
    .action((options: { config: string; json?: boolean; table: string; change?: string; all?: boolean }) =>
      ends(approveCommand({ ...options, json: options.json ?? false, all: options.all ?? false }, context)),
    );
  configured(program, 'publish', 'put main at the head of the branch that a table is written on; only forward')
    .requiredOption('--table <name>', 'the table')
    .option('--branch <name>', 'the branch (default: the one of the table’s rule)')
    .action((options: { config: string; json?: boolean; table: string; branch?: string }) =>
      ends(publishCommand({ ...options, json: options.json ?? false }, context)),
    );
  configured(
    program,
    'backfill',
    'read a range of a topic again into a table of its own, or a branch, next to the live ones; begun, it goes on where it stopped',
  )
    .requiredOption('--topic <name>', 'the topic')
    .requiredOption('--into <table>', 'the table: a new one, one that a backfill began, or with --branch any')
    .option(
      '--branch <name>',
      'write this branch of the table: it begins at a snapshot of main from before the range; main is not touched',
    )
    .option('--like <table>', 'decode as this table’s rule says (default: the rule of the topic)')
    .addOption(
      new Option('--from <offset or time>', 'where to begin (default: what the log holds)').argParser(parseBound),
    )
    .addOption(new Option('--to <offset or time>', 'where to end, not included (default: now)').argParser(parseBound))
    .addOption(new Option('--rate <bytes>', 'fetch no more than so many bytes a second, as 10MiB').argParser(parseRate))
    .action((options: Omit<BackfillOptions, 'json'> & { json?: boolean }) =>
      ends(backfillCommand({ ...options, json: options.json ?? false }, context)),
    );
  configured(program, 'replay', 'try dead letters of a table again, after a fix of a schema or of the configuration')
    .requiredOption('--table <name>', 'the table')
    .option('--topic <name>', 'only those of this topic')
    .option('--code <code>', 'only those with this error code')
    .addOption(
      new Option('--offsets <range>', 'only these offsets: partition:from-to, both included').argParser(
        parseReplayOffsets,
      ),
    )
    .addOption(new Option('--since <time>', 'only records of this time or later').argParser(parseSince))
    .option('--dry-run', 'decode them and say what would become rows; changes nothing')
    .action((options: Omit<ReplayOptions, 'json' | 'dryRun'> & { json?: boolean; dryRun?: boolean }) =>
      ends(replayCommand({ ...options, json: options.json ?? false, dryRun: options.dryRun ?? false }, context)),
    );

  try {
    await program.parseAsync(argv, { from: 'user' });
    return exit;
  } catch (error) {
    // Commander has printed its own message; help and version end with code 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.done : ExitCode.usage;
    return reportError(error, json, context.output);
  }
}

function configured(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .addOption(new Option('-c, --config <file>', 'configuration file').makeOptionMandatory())
    .option('--json', 'print JSON');
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('Write a whole number above 0.');
  return value;
}

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535)
    throw new InvalidArgumentError('Write a port from 0 to 65535.');
  return value;
}
