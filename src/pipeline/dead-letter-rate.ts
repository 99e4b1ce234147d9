/** Records over which `maxDeadLetterRate` is an allowance: 5 % of 1,000 records are 50 dead letters. */
export const RATE_WINDOW = 1_000;

/**
 * The allowance of dead letters of each topic in one worker (`maxDeadLetterRate`): a dead letter takes from it, and a row
 * gives back its share. So a topic may go on for ever with a few bad records among many good ones; a burst uses up the
 * allowance, and the next bad record is not taken any more.
 */
export class DeadLetterRate {
  /** Between 0 and 1. */
  readonly #share: number;
  /** By topic: what is used up, in dead letters. */
  readonly #used = new Map<string, number>();

  constructor(share: number) {
    this.#share = share;
  }

  rows(topic: string, count: number): void {
    const used = this.#used.get(topic);
    if (used !== undefined) this.#used.set(topic, Math.max(0, used - count * this.#share));
  }

  /** Whether one more record of the topic may be dead. At least one may. */
  takes(topic: string): boolean {
    const used = (this.#used.get(topic) ?? 0) + 1 - this.#share;
    if (used > Math.max(1, this.#share * RATE_WINDOW)) return false;
    this.#used.set(topic, used);
    return true;
  }

  reset(): void {
    this.#used.clear();
  }
}
