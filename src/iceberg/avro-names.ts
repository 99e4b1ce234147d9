import { sanitizeName } from '../schema/sanitize.ts';

/**
 * A name as Avro allows it: sanitised as Java does, and letters outside ASCII, which Java keeps, replaced in the same way.
 * The name only has to be valid: readers go by field id.
 */
export function avroName(name: string): string {
  const ascii = sanitizeName(name).replace(
    /[^A-Za-z0-9_]/g,
    (letter) => `_x${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return ascii === '' ? '_' : ascii;
}
