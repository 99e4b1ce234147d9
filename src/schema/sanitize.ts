/**
 * A field name as it stands in Parquet and Avro files: what Java's `AvroSchemaUtil.makeCompatibleName` gives, so that
 * every engine finds the same name. Columns are matched by field id; the name only has to be valid and unsurprising.
 *
 * Letters, digits and `_` stay; a leading digit gets `_` in front; any other UTF-16 unit becomes `_x` and its code in
 * upper-case hexadecimal. An empty name stays empty.
 */
export function sanitizeName(name: string): string {
  let out = '';
  for (let i = 0; i < name.length; i++) {
    const unit = name[i]!;
    const keep = i === 0 ? /[\p{L}_]/u.test(unit) : /[\p{L}\p{Nd}_]/u.test(unit);
    if (keep) out += unit;
    else if (/\p{Nd}/u.test(unit)) out += `_${unit}`;
    else out += `_x${unit.charCodeAt(0).toString(16).toUpperCase()}`;
  }
  return out;
}
