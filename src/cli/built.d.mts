/** Top folder of the checkout. */
export const root: string;
export const nodeEnv: { readonly NODE_COMPILE_CACHE: string };
/** What to run for `tabletopic` with this Node, and with which environment. */
export function program(
  node: string,
  checkout?: string,
): {
  readonly main: string;
  readonly env: {
    readonly NODE_COMPILE_CACHE: string;
    readonly MALLOC_MMAP_THRESHOLD_: string;
    readonly MALLOC_TRIM_THRESHOLD_: string;
  };
};
