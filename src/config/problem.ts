import { TabletopicError } from '../errors.ts';

/** One thing that is wrong in a configuration file. */
export interface ConfigProblem {
  /** Key path as a person writes it: `tables[1].partitionBy[0]`; empty for the file as a whole. */
  readonly path: string;
  /** A sentence without its subject. */
  readonly reason: string;
  readonly remedy: string;
  /** Line in the file, from 1, where it is known. */
  readonly line?: number;
}

/** `CONFIG_INVALID` with all problems of the file, so that a person corrects them in one go. */
export class ConfigError extends TabletopicError {
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, problems: readonly ConfigProblem[]) {
    const lines = problems.map((problem) => `  ${problemText(problem)}`);
    super(
      'CONFIG_INVALID',
      `${file} has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n${lines.join('\n')}`,
      {
        where: { file },
        hint: problems.length === 1 ? problems[0]!.remedy : 'Correct the named keys; each line says how.',
      },
    );
    this.problems = problems;
  }
}

export function problemText({ path, reason, remedy, line }: ConfigProblem): string {
  const place = `${path === '' ? '' : `${path} `}${line === undefined ? '' : `(line ${line}) `}`;
  return `${place}${reason}${reason.endsWith('?') ? '' : '.'} ${remedy}`;
}

export type KeyPath = readonly (string | number)[];

export function pathText(path: KeyPath): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return /^[\w-]+$/.test(key) ? (text === '' ? key : `${text}.${key}`) : `${text}[${JSON.stringify(key)}]`;
  }, '');
}

/** Collects problems while a file is read; `at` is resolved to lines afterwards. */
export class Problems {
  readonly list: { path: KeyPath; reason: string; remedy: string }[] = [];

  add(path: KeyPath, reason: string, remedy: string): undefined {
    this.list.push({ path, reason, remedy });
  }
}
