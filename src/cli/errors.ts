import { ConfigError } from '../config/problem.ts';
import { ExitCode, type TabletopicError, asTabletopicError } from '../errors.ts';
import type { Output } from './context.ts';

/** `{"error":{"code","message","hint","where"}}`; a configuration error also lists its problems. */
export interface ErrorJson {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly hint: string;
    readonly where: Readonly<Record<string, string | number>>;
    readonly problems?: readonly {
      readonly path: string;
      readonly reason: string;
      readonly remedy: string;
      readonly line?: number;
    }[];
  };
}

export function errorJson(error: TabletopicError): ErrorJson {
  const where = Object.fromEntries(
    Object.entries(error.where).map(([key, value]) => [key, typeof value === 'bigint' ? String(value) : value]),
  );
  return {
    error: {
      code: error.code,
      message: error.message,
      hint: error.hint,
      where,
      ...(error instanceof ConfigError ? { problems: error.problems } : {}),
    },
  };
}

/** What happened, where, and what to do. */
export function errorText(error: TabletopicError): string {
  const where = Object.entries(error.where)
    .map(([key, value]) => `${key} ${value}`)
    .join(', ');
  const lines = [`${error.code}: ${error.message}`];
  if (error instanceof ConfigError) return `${lines[0]}\n`;
  if (where !== '') lines.push(`  where: ${where}`);
  if (error.cause instanceof Error && !error.message.includes(error.cause.message))
    lines.push(`  cause: ${error.cause.message}`);
  lines.push(`  remedy: ${error.hint}`);
  if (error.code === 'INTERNAL') lines.push((error.cause instanceof Error ? error.cause.stack : error.stack) ?? '');
  return `${lines.join('\n')}\n`;
}

/** Prints the error and gives the exit code. */
export function reportError(thrown: unknown, json: boolean, output: Output): number {
  const error = asTabletopicError(thrown);
  if (json) output.stdout(`${JSON.stringify(errorJson(error))}\n`);
  else output.stderr(errorText(error));
  return error.exit ?? ExitCode.failed;
}
