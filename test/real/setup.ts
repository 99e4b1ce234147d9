import type { TestProject } from 'vitest/node';
import { type Addresses, startStack } from './stack.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    addresses: Addresses;
  }
}

/** Starts the servers once for all real tests of a run, and gives the tests their addresses; see shared.ts. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const stack = await startStack({ kafka: true, catalog: true, registry: true });
  project.provide('addresses', stack.addresses);
  return () => stack.stop();
}
