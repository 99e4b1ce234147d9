/**
 * Where a request can be held on its way through a proxy: before anything of it is passed on; when the first half of its body
 * is passed on; when the server has answered, before the client hears of it.
 */
export type Point = 'request' | 'half' | 'answer';

/** A request on its way. */
export interface Passing {
  /** HTTP: method and path; Kafka: the name of the API. */
  readonly what: string;
  readonly body: Buffer;
}

/** A request that is held. */
export interface Held extends Passing {
  /** Lets it go on, also when its sender is dead by now: what a slow network delivers late. Resolves with the HTTP status. */
  release(): Promise<number>;
}

/**
 * reset: the connection is cut before the server sees the request; lost: cut after the server answered; drop: the request is
 * swallowed and the connection stays open; delay: it is passed on that many milliseconds later.
 */
export interface Trouble {
  readonly kind: 'reset' | 'lost' | 'drop' | 'delay';
  readonly delay: number;
}

interface Rule {
  readonly at: Point;
  readonly matches: (passing: Passing) => boolean;
  readonly held: (held: Held) => void;
}

/** What a proxy does to requests, as a test tells it. Without orders everything passes. */
export class Points {
  readonly #rules: Rule[] = [];
  /** Decides for each request. */
  trouble: (passing: Passing) => Trouble | null = () => null;
  readonly done: Record<Trouble['kind'], number> = { reset: 0, lost: 0, drop: 0, delay: 0 };

  /** Resolves when the first request that matches stands at this point. It stays there until it is released. */
  hold(at: Point, matches: (passing: Passing) => boolean): Promise<Held> {
    return new Promise((held) => this.#rules.push({ at, matches, held }));
  }

  /** The point at which this request is to be held, and what to do then. */
  ruleFor(passing: Passing): Rule | null {
    const at = this.#rules.findIndex(({ matches }) => matches(passing));
    return at < 0 ? null : this.#rules.splice(at, 1)[0]!;
  }

  troubleFor(passing: Passing): Trouble | null {
    const trouble = this.trouble(passing);
    if (trouble !== null) this.done[trouble.kind]++;
    return trouble;
  }
}
