import type { TestProject } from 'vitest/node';
import { allParts, install } from './parts.ts';
import { type Addresses, startStack } from './stack.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    addresses: Addresses;
  }
}

/** Fetches what is not in the cache, starts the servers once for all real tests of a run, gives the tests their addresses. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await install(allParts);
  const stack = await startStack({ kafka: true, catalog: true, registry: true });
  project.provide('addresses', stack.addresses);
  return () => stack.stop();
}
