import type { Ports } from '../../ports.ts';
import type { Groups } from './groups.ts';
import type { Message } from './message-codec.ts';
import type { Topics } from './topics.ts';
import type { Transactions } from './transactions.ts';

/** The one node of the embedded cluster. */
export const NODE_ID = 1;

/** What the handlers work on. */
export interface BrokerContext {
  readonly ports: Ports;
  readonly clusterId: string;
  readonly host: string;
  readonly port: number;
  readonly autoCreateTopics: boolean;
  readonly topics: Topics;
  readonly groups: Groups;
  readonly transactions: Transactions;
}

export interface RequestContext {
  readonly version: number;
  readonly clientId: string;
  /** Aborts when the connection or the broker closes. */
  readonly signal: AbortSignal;
}

/**
 * Answers one kind of request, whose fields are those that `messages.ts` defines; null where no answer is sent (Produce
 * with acks 0).
 */
export type Handler<Request> = (
  broker: BrokerContext,
  request: Request,
  context: RequestContext,
) => Message | null | Promise<Message | null>;
