import { asTabletopicError } from '../errors.ts';
import type { LaneReader } from './lane-reader.ts';
import type { FromWorker } from './messages.ts';

/** What a worker says of an error that stops a lane, or with `lane` null a whole table. */
export function failedMessage(table: number, lane: LaneReader | null, thrown: unknown): FromWorker {
  const { code, message, where } = asTabletopicError(thrown);
  const place = { ...(lane ? { topic: lane.topic, partition: lane.partition, offset: lane.next } : {}), ...where };
  return {
    type: 'failed',
    table,
    lane: lane?.id ?? null,
    code,
    message,
    where: Object.fromEntries(
      Object.entries(place).map(([key, value]) => [key, typeof value === 'bigint' ? String(value) : value]),
    ),
  };
}
