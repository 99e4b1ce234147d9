import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { mutations } from './list.ts';
import { tableOf } from './mutation.ts';

const root = resolve(import.meta.dirname, '..', '..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

/** What the comments of a file name behind "Breaks:": test files, each with words of titles. */
function named(file: string): [testFile: string, words: string][] {
  const found: [string, string][] = [];
  for (const [, block] of read(file).matchAll(/^ \* Breaks: (.*?)\n \*\//gms)) {
    let testFile = '';
    for (const [, path, words] of block!.matchAll(/(test\/[\w/.-]+\.test\.ts)|"([^"]+)"/g)) {
      if (path) testFile = path;
      else found.push([testFile, words!]);
    }
  }
  return found;
}

test.each(mutations)('$invariant: $broken', ({ file, keeper = file, old, test: [testFile, title] }) => {
  expect(read(file).split(old), 'the old text stands there once').toHaveLength(2);
  expect(read(testFile)).toContain(title);
  expect(
    named(keeper).filter(([path, words]) => path === testFile && title.includes(words)),
    `the comment of ${keeper} names the test`,
  ).not.toEqual([]);
});

test('what comments name behind "Breaks:" is broken by a mutation', () => {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => `src/${file}`);
  const stray = files.flatMap((file) =>
    named(file).filter(
      ([path, words]) =>
        !mutations.some(
          (mutation) =>
            (mutation.keeper ?? mutation.file) === file &&
            mutation.test[0] === path &&
            mutation.test[1].includes(words),
        ),
    ),
  );
  expect(stray).toEqual([]);
});

test('every invariant of DESIGN is broken at least once', () => {
  const broken = new Set(mutations.map(({ invariant }) => invariant));
  expect(Array.from({ length: 10 }, (_, i) => String(i + 1)).filter((number) => !broken.has(number))).toEqual([]);
});

test('the table of test/README.md is that of the list', () => {
  expect(read('test/README.md').includes(tableOf(mutations)), 'else: npm run test:mutations -- --table').toBe(true);
});
