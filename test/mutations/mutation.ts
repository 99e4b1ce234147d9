/**
 * One way to break what DESIGN promises, and the test that then fails. The keeper, the file that is changed unless another
 * is named, says so in a comment ("Breaks: …").
 */
export interface Mutation {
  /** Number in DESIGN §1, or what of §2. */
  readonly invariant: string;
  /** What the code then does wrong. */
  readonly broken: string;
  readonly file: string;
  /** The file with the comment, where that is another. */
  readonly keeper?: string;
  /** Stands in the file exactly once. */
  readonly old: string;
  readonly becomes: string;
  /** Test file, and the test's own title as it is written there. */
  readonly test: readonly [file: string, title: string];
}

/** The table of test/README.md. */
export function tableOf(mutations: readonly Mutation[]): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  const rows = mutations.map(
    ({ invariant, broken, file, test: [testFile, title] }) =>
      `| ${[invariant, broken, `\`${file.replace('src/', '')}\``, `\`${testFile.replace('test/', '')}\`: ${title}`].map(cell).join(' | ')} |`,
  );
  return ['| of | broken | in `src` | fails |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

/** Whether a test of this name, as reported, is the one with the title, whose places (`%s`) are filled there. */
export function isNamed(reported: string, title: string): boolean {
  const escaped = title.split(/%[sidj]/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${escaped.join('.*')}$`, 's').test(reported);
}
