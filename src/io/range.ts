/** Start and end (exclusive) of a range in an object of `size` bytes, cut to what is there. A negative offset counts from the end. */
export function resolveRange(
  size: number,
  range: { offset: number; length?: number } | undefined,
): { start: number; end: number } {
  const offset = range?.offset ?? 0;
  const start = Math.min(size, offset < 0 ? Math.max(0, size + offset) : offset);
  return { start, end: range?.length === undefined ? size : Math.min(size, start + range.length) };
}

/** The `Range` header for the same. */
export function rangeHeader({ offset, length }: { offset: number; length?: number }): string {
  if (offset < 0) return `bytes=${offset}`;
  return length === undefined ? `bytes=${offset}-` : `bytes=${offset}-${offset + length - 1}`;
}
