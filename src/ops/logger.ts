import { pino } from 'pino';
import type { DestinationStream, Logger } from 'pino';
import pretty from 'pino-pretty';
import { TabletopicError } from '../errors.ts';

export type { Logger } from 'pino';

/** The log goes to standard error: standard output belongs to results. Errors carry their code, hint and place. */
export function createLogger(log: { readonly level: string; readonly format: 'json' | 'pretty' }, destination?: DestinationStream): Logger {
  const stream = destination ?? (log.format === 'pretty' ? pretty({ destination: 2, sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' }) : pino.destination({ dest: 2, sync: true }));
  return pino({ level: log.level, base: null, timestamp: pino.stdTimeFunctions.isoTime, serializers: { err: serializeError, error: serializeError } }, stream);
}

function serializeError(error: unknown): unknown {
  if (!(error instanceof TabletopicError)) return error instanceof Error ? pino.stdSerializers.err(error) : error;
  const where = Object.fromEntries(Object.entries(error.where).map(([key, value]) => [key, typeof value === 'bigint' ? String(value) : value]));
  const cause = error.cause instanceof Error ? { cause: error.cause.message } : {};
  const stack = error.code === 'INTERNAL' ? { stack: (error.cause instanceof Error ? error.cause : error).stack } : {};
  return { code: error.code, message: error.message, hint: error.hint, ...(Object.keys(where).length > 0 ? { where } : {}), ...cause, ...stack };
}
