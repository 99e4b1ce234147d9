import type { Ports } from '../ports.ts';
import type { Logger } from './logger.ts';
import type { ServiceStatus } from './status.ts';

/** The running service, as its life cycle is seen from outside. */
export interface Service {
  /** Resolves when it has ended: by `drain`, `stop`, `untilCaughtUp`, or because of an error. */
  run(): Promise<{ readonly exit: number }>;
  /** Reads no more, commits what it has, then ends `run`. */
  drain(reason: string): void;
  /** Ends `run` without another commit. */
  stop(): Promise<void>;
  snapshot(): ServiceStatus;
}

export interface ServiceOptions {
  readonly ports: Ports;
  readonly logger: Logger;
  /** Ends with exit code 0 when every table holds all offsets up to the ends seen at start. */
  readonly untilCaughtUp?: boolean;
}
