/** Fetches the real parts into the cache: `node test/real/install.ts [part ...]`. */
import { type PartName, install, parts } from './parts.ts';

const all = Object.keys(parts) as PartName[];
const names = process.argv.slice(2);
const unknown = names.filter((n) => !(all as string[]).includes(n));
if (unknown.length > 0) throw new Error(`unknown part ${unknown.join(', ')}: one of ${all.join(', ')}`);
await install(names.length > 0 ? (names as PartName[]) : all, (line) => process.stderr.write(`real parts: ${line}\n`));
