import { flushCompileCache } from 'node:module';
import { main } from './cli/cli.ts';
import { systemContext } from './cli/system.ts';

// A reader that went away (`| head`) ends neither the service nor a command with a stack trace.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
// What the launcher's cache lacked, now rather than at the end: a service that is killed never reaches that.
flushCompileCache();
const exit = await main(process.argv.slice(2), systemContext);
// Ends although a pool somewhere may hold the process open, once what was printed is written.
for (const stream of [process.stdout, process.stderr])
  if (stream.writable) await new Promise<void>((resolve) => stream.write('', () => resolve()));
process.exit(exit);
