/** What V8 writes with `--cpu-prof`, as much of it as is read here. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
    readonly children?: readonly number[];
  }[];
  /** Node of each sample, and the microseconds since the one before. */
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Stages in the order of the data flow. A frame belongs to the first whose pattern its file matches. */
const STAGES: readonly (readonly [stage: string, files: RegExp])[] = [
  ['checksum', /source\/crc\.ts|node-rs\/crc32/],
  ['decompress', /source\/compression\.ts|wasm-utils/],
  ['parse', /source\/(batch-reader|batch-scan|record-parser|record-batch|transaction-filter|headers)\.ts/],
  ['fetch', /src\/source\/|@platformatic\/kafka|test\/bench\/recorded-source/],
  ['decode', /src\/decode\/|generated-decoder/],
  ['columns', /src\/columns\//],
  ['compress', /parquet\/compress\.ts/],
  ['encode: bounds', /parquet\/bound/],
  ['encode: dictionary', /parquet\/dictionary\.ts/],
  ['encode: rest', /src\/parquet\//],
  ['pipeline', /src\/pipeline\/|src\/ingest\//],
  ['upload', /src\/io\/|@aws-sdk|@smithy/],
  ['commit', /src\/(commit|iceberg)\/|avsc/],
];

/** Leaves that say themselves what they are. */
const LEAVES: Readonly<Record<string, string>> = {
  '(idle)': 'idle',
  '(garbage collector)': 'garbage collection',
  '(program)': 'native and not known',
};

const LOADING = /^node:internal\/(modules|bootstrap|main)|^node:internal\/process\/(esm|execution)/;

/** Milliseconds of each stage: a sample counts for the innermost of its frames that belongs to one. */
export function stagesOf({ nodes, samples, timeDeltas }: CpuProfile): ReadonlyMap<string, number> {
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const known = new Map<number, string>();
  const stageOf = (id: number): string => {
    let stage = known.get(id);
    if (stage !== undefined) return stage;
    const { functionName, url } = byId.get(id)!.callFrame;
    const parent = parents.get(id);
    stage = LEAVES[functionName] ?? STAGES.find(([, files]) => files.test(url))?.[0];
    // Decoders are compiled from text that has no file.
    if (stage === undefined && url === '' && /^f\d+_/.test(functionName)) stage = 'decode';
    if (stage === undefined && LOADING.test(url)) stage = 'start: modules';
    stage ??= parent === undefined ? 'other' : stageOf(parent);
    known.set(id, stage);
    return stage;
  };
  const sums = new Map<string, number>();
  samples.forEach((id, i) => {
    const stage = stageOf(id);
    sums.set(stage, (sums.get(stage) ?? 0) + timeDeltas[i]! / 1000);
  });
  return sums;
}

/** All stages in the order in which they are shown. */
export const stageNames: readonly string[] = [
  ...STAGES.map(([stage]) => stage),
  'start: modules',
  'garbage collection',
  'native and not known',
  'other',
  'idle',
];
