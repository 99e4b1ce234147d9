/** Prints what the real tests need and this machine lacks, as one line; nothing when all is there. */
import { missingTools } from './tools.ts';

process.stdout.write(missingTools().join(', '));
