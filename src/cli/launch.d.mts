/** Top folder of the checkout. */
export const root: string;
export const nodeOptions: string[];
export const serviceOptions: string[];
export const nodeEnv: { readonly NODE_COMPILE_CACHE: string };
export function isInstalled(dir?: string): boolean;
export function ensureInstalled(): Promise<void>;
export function findNode(): string;
export function runAndExit(command: string, args: string[], environment?: object): Promise<never>;
export function orFail<T>(work: () => Promise<T>): Promise<T>;
