import type { ProtoBound } from './protobuf-bind.ts';

/** What generated code remembers while it reads the fields of one message: names of its variables, and statements on them. */
export class MessageState {
  readonly id: number;
  readonly variables: string[] = [];
  readonly #bits = new Map<string, { readonly variable: string; readonly bit: number }>();
  readonly #oneofs = new Map<string, string>();
  readonly #required = new Map<string, number>();

  constructor(id: number) {
    this.id = id;
  }

  /** Leaves where the field was read before. */
  once(bound: ProtoBound): string {
    const { variable, bit } = this.#bit(`once ${bound.field!.number}`);
    return `if((${variable}&${bit})!==0)return -1;${variable}|=${bit};`;
  }

  required(bound: ProtoBound): string {
    const { variable, bit } = this.#bit(`required ${bound.field!.number}`);
    this.#required.set(variable, (this.#required.get(variable) ?? 0) | bit);
    return `${variable}|=${bit};`;
  }

  /** Leaves where another member of the oneof was read before. */
  member(oneof: string, number: number): string {
    let variable = this.#oneofs.get(oneof);
    if (variable === undefined) {
      variable = `w${this.id}_${this.#oneofs.size}`;
      this.#oneofs.set(oneof, variable);
      this.variables.push(variable);
    }
    return `if(${variable}!==0&&${variable}!==${number})return -1;${variable}=${number};`;
  }

  /** `||` and what is true where a required field is missing. */
  complete(): string {
    return [...this.#required].map(([variable, bits]) => `||(${variable}&${bits})!==${bits}`).join('');
  }

  #bit(key: string): { readonly variable: string; readonly bit: number } {
    let found = this.#bits.get(key);
    if (!found) {
      const place = this.#bits.size % 30;
      const variable = `q${this.id}_${Math.floor(this.#bits.size / 30)}`;
      if (place === 0) this.variables.push(variable);
      this.#bits.set(key, (found = { variable, bit: 1 << place }));
    }
    return found;
  }
}
