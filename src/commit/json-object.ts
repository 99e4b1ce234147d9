/** A parsed JSON value as an object; throws `SyntaxError` where it is something else. */
export function objectOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new SyntaxError(`${what} is no object`);
  return value as Record<string, unknown>;
}
