import { fromJson } from './json-value.ts';

/**
 * A value inside JSON text that is known to be valid, by where it stands: so that digits are not lost, and the text of a
 * value can be kept as it was written.
 */
export class JsonSlice {
  readonly #text: string;
  readonly #start: number;
  readonly #end: number;

  constructor(text: string, start: number, end: number) {
    this.#text = text;
    this.#start = start;
    this.#end = end;
  }

  get text(): string {
    return this.#text.slice(this.#start, this.#end);
  }

  get kind(): 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null' {
    switch (this.#text[this.#start]) {
      case '{':
        return 'object';
      case '[':
        return 'array';
      case '"':
        return 'string';
      case 'n':
        return 'null';
      default:
        return /[tf]/.test(this.#text[this.#start]!) ? 'boolean' : 'number';
    }
  }

  /** The characters of a string; may hold lone surrogates. */
  get string(): string {
    return JSON.parse(this.text) as string;
  }

  /** An object's members: of equal keys the last one counts, at the place of the first, as in every JSON.parse. */
  members(): Map<string, JsonSlice> {
    const found = new Map<string, JsonSlice>();
    let at = this.#blank(this.#start + 1);
    while (this.#text[at] !== '}') {
      const keyEnd = this.#skip(at);
      const key = JSON.parse(this.#text.slice(at, keyEnd)) as string;
      const start = this.#blank(this.#blank(keyEnd) + 1);
      const end = this.#skip(start);
      found.set(key, new JsonSlice(this.#text, start, end));
      at = this.#next(end);
    }
    return found;
  }

  items(): JsonSlice[] {
    const found: JsonSlice[] = [];
    let at = this.#blank(this.#start + 1);
    while (this.#text[at] !== ']') {
      const end = this.#skip(at);
      found.push(new JsonSlice(this.#text, at, end));
      at = this.#next(end);
    }
    return found;
  }

  #next(end: number): number {
    const at = this.#blank(end);
    return this.#text[at] === ',' ? this.#blank(at + 1) : at;
  }

  #blank(at: number): number {
    while (this.#text.charCodeAt(at) <= 0x20) at++;
    return at;
  }

  /** Index after the value at `at`. */
  #skip(at: number): number {
    const text = this.#text;
    let depth = 0;
    for (;;) {
      const first = text[at]!;
      if (first === '"') at = stringEnd(text, at);
      else if (first === '{' || first === '[') {
        depth++;
        at++;
      } else if (first === '}' || first === ']') {
        depth--;
        at++;
      } else if (depth > 0 && /[\s,:]/.test(first)) at++;
      else while (at < text.length && !/[\s,:\]}]/.test(text[at]!)) at++;
      if (depth === 0) return at;
    }
  }
}

function stringEnd(text: string, at: number): number {
  for (let i = at + 1; ; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === '"') return i + 1;
  }
}

/**
 * The value of UTF-8 JSON.
 *
 * @throws DecodeStop as `fromJson`.
 */
export function sliceJson(bytes: Uint8Array): JsonSlice {
  return fromJson(bytes, (text) => {
    JSON.parse(text);
    const from = /^[ \t\r\n]*/.exec(text)![0].length;
    return new JsonSlice(text, from, text.trimEnd().length);
  });
}
