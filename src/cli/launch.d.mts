export const nodeOptions: string[];
export const serviceOptions: string[];
export function isInstalled(dir?: string): boolean;
export function ensureInstalled(): Promise<void>;
export function findNode(): string;
export function runAndExit(command: string, args: string[], environment?: object): Promise<never>;
export function orFail<T>(work: () => Promise<T>): Promise<T>;
