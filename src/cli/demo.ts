import type { CliContext } from './context.ts';

/** `tabletopic demo`. */
export function demoCommand(
  options: { records?: number; rate?: number; exit?: boolean; json?: boolean; port?: number },
  context: CliContext,
): Promise<number> {
  return context.runDemo({
    records: options.records ?? null,
    rate: options.rate ?? null,
    exit: options.exit ?? false,
    json: options.json ?? false,
    port: options.port ?? null,
  });
}
