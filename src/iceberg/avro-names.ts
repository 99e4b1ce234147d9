/**
 * A column name as Avro allows it, sanitised as Java's `AvroSchemaUtil.makeCompatibleName` does: a leading digit gets an
 * underscore, any other character becomes `_x` and its UTF-16 code in hexadecimal. Letters outside ASCII, which Java keeps,
 * are replaced too: readers go by field id.
 */
export function avroName(name: string): string {
  let out = '';
  for (let i = 0; i < name.length; i++) {
    const c = name[i]!;
    if (/[A-Za-z_]/.test(c)) out += c;
    else if (/[0-9]/.test(c)) out += i === 0 ? `_${c}` : c;
    else out += `_x${c.charCodeAt(0).toString(16).toUpperCase()}`;
  }
  return out === '' ? '_' : out;
}
