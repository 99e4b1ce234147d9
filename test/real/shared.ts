import { inject } from 'vitest';
import { Environment } from './stack.ts';

/**
 * The servers that all real tests of a run share: Kafka, S3, REST catalog, registry. A test takes its own topics and
 * namespaces. A test that kills or restarts a server starts its own with startStack.
 */
export function sharedStack(): Environment {
  return new Environment(inject('addresses'));
}
