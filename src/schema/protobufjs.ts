import { createRequire } from 'node:module';
import type * as protobufjs from 'protobufjs';

const require = createRequire(import.meta.url);

/** Loaded with the first .proto that is read: it takes each thread 30 ms, and most topics have none. */
export const lib = (): typeof protobufjs => require('protobufjs') as typeof protobufjs;
