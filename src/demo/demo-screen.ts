import type { Clock } from '../ports.ts';
import type { ServiceStatus, TableStatus } from '../ops/status.ts';

interface Terminal {
  stdout(text: string): void;
  stderr(text: string): void;
  readonly isTerminal: boolean;
  readonly columns: number;
}

const number = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** Live progress of the demo: drawn in place on a terminal, a line now and then elsewhere. */
export class DemoScreen {
  readonly #terminal: Terminal;
  #drawn = 0;
  #last: readonly string[] = [];

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** A log line, above what is drawn. */
  log(line: string): void {
    this.#clear();
    this.#terminal.stderr(line);
    this.#draw(this.#last);
  }

  /** Until the signal aborts. */
  async follow(snapshot: () => ServiceStatus, signal: AbortSignal, clock: Clock): Promise<void> {
    const { isTerminal, stderr } = this.#terminal;
    while (!signal.aborted) {
      await clock.sleep(isTerminal ? 500 : 5000, signal).catch(() => undefined);
      const lines = statusLines(snapshot());
      if (isTerminal) {
        this.#clear();
        this.#draw(lines);
      } else if (!signal.aborted) stderr(`${lines.join('\n')}\n`);
    }
    this.#last = [];
  }

  #draw(lines: readonly string[]): void {
    if (!this.#terminal.isTerminal) return;
    this.#last = lines;
    this.#drawn = lines.length;
    for (const line of lines) this.#terminal.stderr(`${line.slice(0, this.#terminal.columns)}\n`);
  }

  #clear(): void {
    if (this.#drawn > 0) this.#terminal.stderr(`\u001b[${this.#drawn}A\u001b[J`);
    this.#drawn = 0;
  }
}

function statusLines({ recordsPerSecond, recordsRead, tables }: ServiceStatus): string[] {
  return [`${number.format(recordsPerSecond)} records/s, ${number.format(recordsRead)} read`, ...tables.map(tableLine)];
}

function tableLine({ table, state, rows, lagRecords, freshnessSeconds, lastSnapshotId }: TableStatus): string {
  const fresh = freshnessSeconds === null ? '–' : `${freshnessSeconds.toFixed(1)} s`;
  return `  ${table.padEnd(14)} ${state.padEnd(10)} ${number.format(rows).padStart(12)} rows   lag ${number.format(lagRecords).padStart(8)}   freshness ${fresh.padStart(7)}   snapshot ${lastSnapshotId ?? '–'}`;
}
