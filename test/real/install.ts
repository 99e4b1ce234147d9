/** Fetches the real parts into the cache: `node test/real/install.ts [part ...]`. */
import { allParts, install } from './parts.ts';

const names = process.argv.slice(2);
const unknown = names.filter((name) => !(allParts as readonly string[]).includes(name));
if (unknown.length > 0) throw new Error(`unknown part ${unknown.join(', ')}: one of ${allParts.join(', ')}`);
await install(names.length > 0 ? allParts.filter((part) => names.includes(part)) : allParts);
