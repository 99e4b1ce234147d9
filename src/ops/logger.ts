import { pino } from 'pino';
import type { Logger } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { TabletopicError } from '../errors.ts';

export type { Logger } from 'pino';

/**
 * The log goes to standard error: standard output belongs to results. Errors carry their code, hint and place.
 * `write` takes whole lines.
 */
export function createLogger(
  log: { readonly level: string; readonly format: 'json' | 'pretty' },
  write: (line: string) => void,
): Logger {
  const prettify = log.format === 'pretty' ? prettyFactory({ colorize: false, translateTime: 'SYS:HH:MM:ss.l' }) : null;
  const stream = { write: (line: string) => write(prettify ? prettify(line) : line) };
  return pino(
    {
      level: log.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: serializeError, error: serializeError },
    },
    stream,
  );
}

function serializeError(error: unknown): unknown {
  if (!(error instanceof TabletopicError)) return error instanceof Error ? pino.stdSerializers.err(error) : error;
  const where = Object.fromEntries(
    Object.entries(error.where).map(([key, value]) => [key, typeof value === 'bigint' ? String(value) : value]),
  );
  const cause = error.cause instanceof Error ? { cause: error.cause.message } : {};
  const stack = error.code === 'INTERNAL' ? { stack: (error.cause instanceof Error ? error.cause : error).stack } : {};
  return {
    code: error.code,
    message: error.message,
    hint: error.hint,
    ...(Object.keys(where).length > 0 ? { where } : {}),
    ...cause,
    ...stack,
  };
}
