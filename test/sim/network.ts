import type { SeededRandom } from './random.ts';
import type { Scheduler, SimProcess } from './scheduler.ts';
import type { Trace } from './trace.ts';

/** What happens to one request. Everything but `delay` and the refusals leaves the caller not knowing. */
export type FaultKind =
  /** Never reaches the server, and the caller knows: connection refused, 429. */
  | 'refused'
  /** The server answers 500 or 503 without having done it. */
  | 'failed'
  /** Done, and the answer is lost. */
  | 'lost-answer'
  /** Not done, and no answer. */
  | 'lost-request'
  /** No answer in time; done seconds later. */
  | 'late'
  | 'delay'
  /** 401 or 403. */
  | 'auth'
  /** 409 or 412, though nobody else was there. */
  | 'conflict'
  /** An answer from before the last changes. */
  | 'stale'
  /** Delivered again up to seconds later, and done twice; the answer is that of the first or of the second. */
  | 'twice';

/** The n-th request of an operation meets a fault. */
export interface RequestFault {
  readonly operation: string;
  readonly n: number;
  readonly kind: FaultKind;
}

export interface Refusal {
  readonly kind: Exclude<FaultKind, 'delay' | 'stale' | 'twice'>;
  /** Whether the server surely has not done it, and will not. */
  readonly surelyNot: boolean;
}

/** Requests whose operation begins so are answered so for a while. */
export interface Outage {
  readonly operations: string;
  readonly kind: 'refused' | 'auth';
  /** ms of virtual time. */
  readonly until: number;
  /** Whose requests; null: everybody's. */
  readonly process: SimProcess | null;
}

/** How long a caller waits for an answer that does not come, ms. */
const TIMEOUT = 3000;

/**
 * Requests between processes and servers. The server's part happens whatever becomes of the process that asked; the
 * answer comes only if that still lives.
 */
export class Network {
  readonly #scheduler: Scheduler;
  readonly #random: SeededRandom;
  readonly #trace: Trace;
  readonly #faults = new Map<string, FaultKind>();
  readonly #counts = new Map<string, number>();
  readonly #outages: Outage[] = [];
  /** Set when no more faults are wanted. */
  calm = false;
  /** An operation that is refused for ever, calm or not. */
  blocked: string | null = null;

  constructor(scheduler: Scheduler, random: SeededRandom, trace: Trace, faults: readonly RequestFault[]) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#trace = trace;
    for (const { operation, n, kind } of faults) this.#faults.set(`${operation} ${n}`, kind);
  }

  outage(outage: Outage): void {
    this.#outages.push(outage);
  }

  /**
   * @param serve what the server does, at one moment. `stale`: it may answer from before the last changes.
   * @param refuse the caller's side of a fault: throws, or gives the answer that the contract has for it.
   */
  async call<T>(
    process: SimProcess,
    operation: string,
    what: string,
    serve: (stale: boolean) => T | Promise<T>,
    refuse: (refusal: Refusal) => T,
  ): Promise<T> {
    const n = (this.#counts.get(operation) ?? 0) + 1;
    this.#counts.set(operation, n);
    const planned = this.calm ? undefined : this.#faults.get(`${operation} ${n}`);
    const fault = operation === this.blocked ? 'refused' : (this.#out(process, operation) ?? planned);
    if (fault === planned && planned) this.#trace.add(process.name, `fault ${fault} on ${operation} #${n} ${what}`);
    const there = 1 + this.#random.below(8) + (fault === 'delay' ? this.#random.below(12_000) : 0);
    const back = 1 + this.#random.below(8) + (fault === 'delay' ? this.#random.below(4000) : 0);
    switch (fault) {
      case 'refused':
      case 'failed':
      case 'auth':
      case 'conflict':
        await this.#scheduler.sleep(there + back, process);
        return refuse({ kind: fault, surelyNot: true });
      case 'lost-request':
        await this.#scheduler.sleep(TIMEOUT, process);
        return refuse({ kind: fault, surelyNot: true });
      case 'lost-answer':
      case 'late': {
        const delay = fault === 'late' ? TIMEOUT + this.#random.below(15_000) : there;
        this.#scheduler.at(delay, null, () => void Promise.resolve(serve(false)).catch(() => undefined));
        await this.#scheduler.sleep(TIMEOUT, process);
        return refuse({ kind: fault, surelyNot: false });
      }
      default: {
        const answered = Promise.withResolvers<T>();
        const deliver = (after: number, heard: boolean): void =>
          void this.#scheduler.at(after, null, () => {
            void Promise.resolve()
              .then(() => serve(fault === 'stale'))
              .then(
                (answer) => heard && this.#scheduler.at(back, process, () => answered.resolve(answer)),
                (error: unknown) => heard && this.#scheduler.at(back, process, () => answered.reject(error)),
              );
          });
        if (fault === 'twice') {
          const first = this.#random.chance(0.5);
          deliver(there, first);
          deliver(there + this.#random.below(first ? 10_000 : TIMEOUT), !first);
        } else deliver(there, true);
        return answered.promise;
      }
    }
  }

  #out(process: SimProcess, operation: string): Outage['kind'] | undefined {
    if (this.calm || this.#outages.length === 0) return undefined;
    return this.#outages.find(
      (outage) =>
        outage.until > this.#scheduler.now &&
        operation.startsWith(outage.operations) &&
        (outage.process === null || outage.process === process),
    )?.kind;
  }
}
