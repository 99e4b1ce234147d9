/**
 * A value of a partition tuple, as it stands in a manifest: null; boolean; number (int, date, float, double); bigint
 * (long, time, timestamp); string; bytes (binary, fixed, uuid, decimal as unscaled big-endian).
 */
export type PartitionValue = null | boolean | number | bigint | string | Uint8Array;
