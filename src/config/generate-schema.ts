import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { configExample } from './example.ts';
import { configJsonSchema } from './json-schema.ts';
import { configMarkdown } from './markdown.ts';
import { replaceSection } from './section.ts';

/**
 * Everything that is written from the options table, by file below the root. Run as a program
 * (`node src/config/generate-schema.ts`) it writes them; a test compares.
 */
export function generatedFiles(root: string): Readonly<Record<string, string>> {
  return {
    'schemas/config.schema.json': `${JSON.stringify(configJsonSchema(), null, 2)}\n`,
    'deploy/tabletopic.example.yaml': configExample(),
    'README.md': replaceSection(readFileSync(join(root, 'README.md'), 'utf8'), 'configuration', configMarkdown()),
  };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const root = join(import.meta.dirname, '..', '..');
  for (const [file, text] of Object.entries(generatedFiles(root))) writeFileSync(join(root, file), text);
}
