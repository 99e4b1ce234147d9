import type { TopicRoutes } from '../config/route.ts';
import type { DecodeFailure } from '../decode/decoder.ts';
import type { RecordPositions } from '../source/record-batch.ts';
import type { RecordPart } from './record-part.ts';
import { RouteReader } from './route-reader.ts';
import type { RouteSchemas } from './route-reader.ts';

/** What becomes of the next records of a lane, up to `end`. */
export type Fate =
  | { readonly kind: 'own'; readonly end: number }
  /** Another table of the topic has them. */
  | { readonly kind: 'elsewhere'; readonly end: number }
  | { readonly kind: 'dead'; readonly end: number; readonly refusal: Pick<DecodeFailure, 'code' | 'reason'> }
  /** Their schema must be asked for first. */
  | { readonly kind: 'unknown' };

/**
 * Fields are decoded of all records that are looked at, and only those up to the first of another route are taken: so
 * twice as many are looked at as the last route had records. Where routes alternate, each record is decoded about twice.
 */
const MOST_WINDOW = 4096;

/**
 * The routes of one lane's topic, as its table sees them.
 *
 * Invariant: over all tables of the topic, each record is `own` of exactly one, or `dead` in the first and `elsewhere` in
 * all others.
 */
export class LaneRoutes {
  readonly #routes: TopicRoutes;
  readonly #reader: RouteReader;
  readonly #elsewhere: 'count' | 'dead-letter';
  /** Records looked at at once. */
  #window = MOST_WINDOW;

  constructor(routes: TopicRoutes, schemas: RouteSchemas, elsewhere: 'count' | 'dead-letter') {
    this.#routes = routes;
    this.#reader = new RouteReader(routes, schemas);
    this.#elsewhere = elsewhere;
  }

  /** Leaves `value` at a run that holds at least the records up to `end`. */
  next(value: RecordPart, topic: string, positions: RecordPositions, from: number, most: number): Fate {
    const to = value.nextRun(topic, positions, from, Math.min(most, from + this.#window));
    if (this.#reader.needs(value.schemaKey, value.hasSchema)) return { kind: 'unknown' };
    const { end, route, refusal } = this.#reader.run(positions, from, to, value.schemaKey);
    this.#window = Math.min(MOST_WINDOW, 2 * (end - from));
    if (route === this.#routes.own) return { kind: 'own', end };
    if (route < 0) return this.#routes.own === 0 ? { kind: 'dead', end, refusal } : { kind: 'elsewhere', end };
    if (this.#elsewhere === 'count') return { kind: 'elsewhere', end };
    const reason = `its route is that of table ${this.#routes.tables[route]!}`;
    return { kind: 'dead', end, refusal: { code: 'ROUTE_ELSEWHERE', reason } };
  }

  /** Whether a record without schema is the table's own: only such are looked at to infer its columns. */
  takesPlain(positions: RecordPositions, index: number): boolean {
    return this.#reader.takesPlain(positions, index);
  }
}
