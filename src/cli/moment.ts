import { InvalidArgumentError } from 'commander';

/** ISO 8601 with a time zone; a date alone is its midnight in UTC. */
const isoTime = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2}))?$/;

/** A time of the command line in ms. Throws commander's error where it is none. */
export function parseTime(text: string): number {
  const ms = isoTime.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new InvalidArgumentError('Write a time as 2026-01-31T00:00:00Z.');
  return ms;
}
