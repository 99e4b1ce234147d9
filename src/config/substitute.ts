import { isScalar, type Document, Scalar, visit } from 'yaml';

/** Names that were used without a default and are not set, with the node that uses them. */
export interface MissingVariable {
  readonly name: string;
  readonly offset: number;
}

const reference = /\$?\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;

/**
 * Replaces `${VAR}` and `${VAR:-default}` in all values (not in keys) of the document; `$${VAR}` stands for the text
 * `${VAR}`. A value is never parsed as YAML again, so that a password with a colon is still a text; only an unquoted
 * value that becomes a whole number, `true`, `false` or nothing becomes that.
 */
export function substituteEnvironment(
  document: Document.Parsed,
  env: Readonly<Record<string, string | undefined>>,
): MissingVariable[] {
  const missing: MissingVariable[] = [];
  visit(document, {
    Scalar(key, node) {
      if (key === 'key' || !isScalar(node) || typeof node.value !== 'string' || !node.value.includes('${')) return;
      const text = node.value.replaceAll(reference, (match, name: string, fallback: string | undefined) => {
        if (match.startsWith('$$')) return match.slice(1);
        const value = env[name];
        if (value !== undefined && (value !== '' || fallback === undefined)) return value;
        if (fallback === undefined) missing.push({ name, offset: node.range?.[0] ?? 0 });
        return fallback ?? '';
      });
      node.value = node.type === Scalar.PLAIN ? plain(text) : text;
    },
  });
  return missing;
}

function plain(text: string): unknown {
  if (text === '' || text === 'null') return null;
  if (text === 'true' || text === 'false') return text === 'true';
  return /^-?(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text;
}
