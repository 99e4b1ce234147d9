/** What to run for `tabletopic` with this Node, and with which environment. */
export function program(
  node: string,
  root?: string,
): { readonly main: string; readonly env: { readonly NODE_COMPILE_CACHE: string } };
