import { lib } from './protobufjs.ts';

/** A message declaration, or the message that stands for the entries of a map field. */
interface Declared {
  readonly name: string;
  readonly map: boolean;
  readonly nested: Declared[];
}

/**
 * The message declarations of a .proto text in their order, which is what the message index of Confluent's wire format
 * counts: as in a file descriptor, where the entries of a map field are a nested message at the place of the field.
 */
export function declaredMessages(text: string): readonly Declared[] {
  const { next, peek, skip } = lib().tokenize(text, true);
  const top: Declared[] = [];
  /** What an open brace belongs to; null: not a message. */
  const open: (Declared[] | null)[] = [];
  const here = (): Declared[] => open.findLast((level) => level !== null) ?? top;
  for (let token = next(); token !== null; token = next()) {
    switch (token) {
      case '"':
      case "'":
        next();
        skip(token);
        break;
      case '{':
        open.push(null);
        break;
      case '}':
        open.pop();
        break;
      case 'message':
      case 'group': {
        const name = peek();
        if (name === null || !/^[A-Za-z_]\w*$/.test(name)) break;
        next();
        const statement = token === 'group' ? untilBrace(next, peek) : peek() === '{';
        if (!statement) break;
        next();
        const declared: Declared = { name: upperFirst(name, token === 'group'), map: false, nested: [] };
        here().push(declared);
        open.push(declared.nested);
        break;
      }
      case 'map':
        if (peek() === '<') here().push({ name: '', map: true, nested: [] });
        break;
      default:
        break;
    }
  }
  return top;
}

/** Name of the message at a path of indexes, without the package; null: there is none. */
export function messageAt(declared: readonly Declared[], path: readonly number[]): string | null {
  return named(declared, path, true) ?? named(declared, path, false);
}

/** Some serializers do not count the entries of map fields. */
function named(declared: readonly Declared[], path: readonly number[], maps: boolean): string | null {
  let level = declared;
  const names: string[] = [];
  for (const index of path) {
    const found: Declared | undefined = level.filter(({ map }) => maps || !map)[index];
    if (!found || found.map) return null;
    names.push(found.name);
    level = found.nested;
  }
  return names.length > 0 ? names.join('.') : null;
}

/** Moves over `= 3 [options]`; true where a brace follows. */
function untilBrace(next: () => string | null, peek: () => string | null): boolean {
  for (let token = peek(); token !== null && token !== ';' && token !== '}'; token = peek()) {
    if (token === '{') return true;
    next();
  }
  return false;
}

function upperFirst(name: string, group: boolean): string {
  return group ? name[0]!.toUpperCase() + name.slice(1) : name;
}
