/**
 * The form of the options table. From one table come the validation (read.ts), the JSON Schema (json-schema.ts), the
 * README's configuration table (markdown.ts) and the example file (example.ts).
 */
export interface Option {
  readonly key: string;
  readonly type: OptionType;
  /** One line for a person who runs the service. */
  readonly help: string;
  /** As it would be written in the file; absent: the key has no default. */
  readonly default?: unknown;
  /** Shown in place of `default` where the default is computed. */
  readonly defaultText?: string;
  readonly required?: boolean;
  /** An absent key is `null` in the resolved configuration, not left out. */
  readonly nullable?: boolean;
  /** Value shown in the example file where there is no default. */
  readonly example?: unknown;
}

export type OptionType =
  | { readonly kind: 'string'; readonly pattern?: RegExp; readonly form?: string }
  | { readonly kind: 'integer'; readonly min: number; readonly max: number }
  /** Milliseconds, written with a unit. */
  | { readonly kind: 'duration'; readonly min: number; readonly max: number }
  /** Bytes, written with a unit. */
  | { readonly kind: 'size'; readonly min: number; readonly max: number }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'enum'; readonly values: readonly string[] }
  /** Also accepted as one comma-separated string, so that it can come from one environment variable. */
  | {
      readonly kind: 'strings';
      readonly min: number;
      readonly pattern?: RegExp;
      readonly accepts?: (text: string) => boolean;
      readonly form?: string;
    }
  | { readonly kind: 'stringMap' }
  | ObjectType
  /** An object whose keys depend on the value of `by`. */
  | {
      readonly kind: 'variants';
      readonly by: string;
      readonly variants: Readonly<Record<string, readonly Option[]>>;
      readonly help: Readonly<Record<string, string>>;
    }
  /** An object with keys of the user's choice. */
  | { readonly kind: 'named'; readonly item: OptionType; readonly min: number; readonly example: string }
  | { readonly kind: 'list'; readonly item: OptionType; readonly min: number }
  | CustomType;

export interface ObjectType {
  readonly kind: 'object';
  readonly options: readonly Option[];
  /** A plain string stands for an object with this one key. */
  readonly short?: string;
  /** `true` stands for all defaults; `false` or `off` switches it off (null). */
  readonly switch?: boolean;
  /** Defaults are not filled in (they come from elsewhere). */
  readonly sparse?: boolean;
}

export interface CustomType {
  readonly kind: 'custom';
  /** The resolved value; rejects by returning `Reason`. */
  readonly read: (raw: unknown) => unknown;
  readonly schema: Readonly<Record<string, unknown>>;
  /** The allowed writings, for messages and documentation. */
  readonly form: string;
}

/** Why a value was refused: a sentence without its subject, and what to write instead. */
export class Reason {
  readonly reason: string;
  readonly remedy: string;
  constructor(reason: string, remedy: string) {
    this.reason = reason;
    this.remedy = remedy;
  }
}
