import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dirOf, install } from './parts.ts';
import { run } from './tools.ts';

const scripts = join(dirname(fileURLToPath(import.meta.url)), '..', 'readers');

/** Runs a Python script of test/readers with the formats' reference libraries (avro, fastavro, protobuf, grpcio-tools); its standard output. */
export async function reference(script: string, ...args: string[]): Promise<string> {
  await install(['formats']);
  const env = { ...process.env, TZ: 'UTC', PYTHONDONTWRITEBYTECODE: '1' };
  return await run(join(dirOf('formats'), 'bin', 'python'), [join(scripts, script), ...args], { env });
}
