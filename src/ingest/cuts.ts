import type { Cut, PreparedFile, TopicIdentity } from '../commit/commit.ts';
import type { Moment } from '../commit/prepare.ts';
import type { FromWorker } from '../pipeline/messages.ts';
import type { DeadLetter, OffsetRange } from '../pipeline/ranges.ts';

type CutDone = Extract<FromWorker, { type: 'cut-done' }>;

/** What one cut of all workers brought. Rows, files and dead letters of it belong together: all or nothing. */
export interface CutContent {
  readonly ranges: readonly OffsetRange[];
  readonly files: readonly Promise<PreparedFile>[];
  readonly deadLetters: readonly DeadLetter[];
  /** Newest layout among the files, or null where no worker had one. */
  readonly schemaId: number | null;
  /** Partition specs that the files follow. */
  readonly specIds: ReadonlySet<number>;
  /** Topic and cluster ids under which the ranges were read, by topic. */
  readonly topics: Readonly<Record<string, TopicIdentity>>;
}

/** Collects the answers of the workers to one cut. */
export class PendingCut {
  readonly id: number;
  readonly done: Promise<CutContent | null>;
  readonly #waiting: Set<number>;
  readonly #topics: CutContent['topics'];
  readonly #answers: CutDone[] = [];
  readonly #files: Promise<PreparedFile>[] = [];
  #resolve!: (content: CutContent | null) => void;

  constructor(id: number, workers: readonly number[], topics: CutContent['topics']) {
    this.id = id;
    this.#topics = topics;
    this.#waiting = new Set(workers);
    this.done = new Promise((resolve) => (this.#resolve = resolve));
    if (workers.length === 0)
      this.#resolve({ ranges: [], files: [], deadLetters: [], schemaId: null, specIds: new Set(), topics });
  }

  /** The worker's files are those that it ended before its answer. */
  answer(worker: number, message: CutDone, files: readonly Promise<PreparedFile>[]): void {
    this.#waiting.delete(worker);
    this.#answers.push(message);
    this.#files.push(...files);
    if (this.#waiting.size > 0) return;
    const schemaIds = this.#answers.flatMap((answer) => answer.schemaId ?? []);
    this.#resolve({
      ranges: this.#answers.flatMap((answer) => answer.ranges),
      files: this.#files,
      deadLetters: this.#answers.flatMap((answer) => answer.deadLetters),
      schemaId: schemaIds.length > 0 ? Math.max(...schemaIds) : null,
      specIds: new Set(this.#answers.flatMap((answer) => answer.specIds)),
      topics: this.#topics,
    });
  }

  /** The open checkpoint was dropped; returns the files that were handed over for it. */
  cancel(): readonly Promise<PreparedFile>[] {
    this.#resolve(null);
    return this.#files;
  }
}

/** The two contents as one; the ranges of `later` begin where those of `earlier` end. */
export function joinCuts(earlier: CutContent | null, later: CutContent): CutContent {
  if (!earlier) return later;
  const ranges = new Map(earlier.ranges.map((range) => [`${range.topic}/${range.partition}`, range]));
  for (const range of later.ranges) {
    const key = `${range.topic}/${range.partition}`;
    const before = ranges.get(key);
    ranges.set(key, before ? joinRanges(before, range) : range);
  }
  return {
    ranges: [...ranges.values()],
    files: [...earlier.files, ...later.files],
    deadLetters: [...earlier.deadLetters, ...later.deadLetters],
    schemaId: later.schemaId ?? earlier.schemaId,
    specIds: new Set([...earlier.specIds, ...later.specIds]),
    topics: { ...earlier.topics, ...later.topics },
  };
}

function joinRanges(a: OffsetRange, b: OffsetRange): OffsetRange {
  const gaps = [...(a.gaps ?? []), ...(b.gaps ?? [])];
  return {
    topic: a.topic,
    partition: a.partition,
    start: a.start,
    end: b.end,
    epoch: b.epoch >= 0 ? b.epoch : a.epoch,
    accounted: {
      rows: a.accounted.rows + b.accounted.rows,
      deadLetters: a.accounted.deadLetters + b.accounted.deadLetters,
      aborted: a.accounted.aborted + b.accounted.aborted,
      control: a.accounted.control + b.accounted.control,
      absent: a.accounted.absent + b.accounted.absent,
      ...elsewhereOf(a, b),
    },
    ...(gaps.length > 0 ? { gaps } : {}),
  };
}

function elsewhereOf(a: OffsetRange, b: OffsetRange): { elsewhere?: number } {
  const elsewhere = (a.accounted.elsewhere ?? 0) + (b.accounted.elsewhere ?? 0);
  return elsewhere === 0 ? {} : { elsewhere };
}

/** Offsets of a cut that are neither rows nor dead letters: nothing that a reader of the table would miss. */
export function isEmpty(content: CutContent): boolean {
  return content.files.length === 0 && content.deadLetters.length === 0;
}

/** `opened`: its files were begun after it. `schemaId`, `specId`: the table's, for a cut without files. */
export async function toCut(
  content: CutContent,
  opened: Moment,
  schemaId: number,
  specId: number,
  watermark: number | null,
): Promise<Cut> {
  return {
    ranges: content.ranges,
    files: await Promise.all(content.files),
    deadLetters: content.deadLetters,
    schemaId: content.schemaId ?? schemaId,
    specId: content.specIds.values().next().value ?? specId,
    watermark,
    topics: content.topics,
    ...(content.files.length > 0 && { begunAt: opened }),
  };
}
