import { logLevel } from 'kafkajs';
import type { logCreator } from 'kafkajs';

/** The part of a pino logger that is used. */
export interface EventLogger {
  debug(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** kafkajs's own log: its errors are warnings here, since what fails for good is thrown; the rest is for debugging. */
export function kafkaLogger(logger: EventLogger): logCreator {
  return () =>
    ({ level, log: { message, timestamp: _timestamp, ...fields } }) => {
      if (level === logLevel.ERROR) logger.warn(fields, `kafkajs: ${message}`);
      else logger.debug(fields, `kafkajs: ${message}`);
    };
}
