import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * A machine that others measure on too: work that is measured holds a lock for itself, what is done around it shares the
 * lock with others of its kind. Without a file nothing is held.
 */
export class Quiet {
  readonly #file: string | undefined;

  /** `file`: what flock(1) locks. */
  constructor(file: string | undefined) {
    this.#file = file;
  }

  measured<T>(work: () => Promise<T>): Promise<T> {
    return this.#holding('-x', work);
  }

  around<T>(work: () => Promise<T>): Promise<T> {
    return this.#holding('-s', work);
  }

  async #holding<T>(kind: '-x' | '-s', work: () => Promise<T>): Promise<T> {
    if (this.#file === undefined) return await work();
    // The lock is the child's: it lets go when its input ends, and so also when this process dies.
    const holder = spawn('flock', [kind, this.#file, 'sh', '-c', 'echo; cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    try {
      return await work();
    } finally {
      const gone = once(holder, 'close');
      holder.stdin.end();
      await gone;
    }
  }
}
