import { ManifestContent } from './manifest-types.ts';
import type { ManifestFile } from './manifest-types.ts';

const TARGET_SIZE = 8 * 1024 * 1024;
const MIN_COUNT = 100;
/**
 * Bytes of manifests that one commit rewrites at most, unless the table states a target size of its own. An entry of 300
 * bytes takes 0.1 ms of CPU to read and write: a full manifest of 8 MiB took 2.8 s, once in a hundred commits.
 */
const REWRITTEN = 768 * 1024;

/**
 * Groups the parent's manifests for an append, newest first: a group of one is kept as it is, larger ones are to be
 * merged. As Java's `ManifestMergeManager`: manifests of one spec are packed, oldest first, into bins of
 * `commit.manifest.target-size-bytes`; the newest bin waits until it has `commit.manifest.min-count-to-merge`
 * manifests, counting `added` new ones. Manifests of delete files are never touched.
 *
 * Unlike Java, one commit rewrites `REWRITTEN` bytes at most: of what is due the contiguous part with the most manifests.
 * What is left is due at a later one. So manifests end at that size, where the table states
 * none and nobody else rewrites them.
 *
 * Unlike Java too, new manifests are not merged at once: they stay as they were prepared (invariant 5). `when` they are
 * due: at every append once the count is `reached`, or only at the append that has `crossed` it or a multiple of it. Of
 * many writers one crosses it.
 */
export function planMerge(
  parents: readonly ManifestFile[],
  added: number,
  properties: Readonly<Record<string, string>>,
  when: 'reached' | 'crossed' = 'reached',
): ManifestFile[][] {
  const alone = parents.map((manifest) => [manifest]);
  if (properties['commit.manifest-merge.enabled'] === 'false') return alone;
  const stated = properties['commit.manifest.target-size-bytes'];
  const targetSize = positive(stated, TARGET_SIZE);
  const rewritten = stated === undefined ? REWRITTEN : targetSize;
  const minCount = positive(properties['commit.manifest.min-count-to-merge'], MIN_COUNT);
  const isDue = (count: number): boolean =>
    when === 'reached'
      ? count + added >= minCount
      : Math.floor((count + added) / minCount) > Math.floor(count / minCount);
  const due: ManifestFile[][] = [];
  for (const specId of new Set(parents.map((manifest) => manifest.specId))) {
    const ofSpec = parents.filter(
      (manifest) => manifest.specId === specId && manifest.content === ManifestContent.data,
    );
    const bins = pack(ofSpec, targetSize);
    const newestIsDue = isDue(bins[0]?.length ?? 0);
    bins.forEach((bin, index) => {
      if (newestIsDue || (when === 'reached' && index > 0)) due.push(...pack(bin, rewritten));
    });
  }
  const most = due.reduce<ManifestFile[]>((best, part) => (part.length > best.length ? part : best), []);
  if (most.length < 2) return alone;
  return [most, ...alone.filter(([manifest]) => !most.includes(manifest!))];
}

/** Contiguous bins, newest first, filled from the oldest manifest on. */
function pack(manifests: readonly ManifestFile[], targetSize: number): ManifestFile[][] {
  const bins: ManifestFile[][] = [];
  let size = 0;
  for (const manifest of manifests.toReversed()) {
    const bin = bins[0];
    if (bin && size + manifest.length <= targetSize) {
      bin.unshift(manifest);
      size += manifest.length;
    } else {
      bins.unshift([manifest]);
      size = manifest.length;
    }
  }
  return bins;
}

function positive(text: string | undefined, otherwise: number): number {
  const value = Number(text);
  return text !== undefined && Number.isSafeInteger(value) && value > 0 ? value : otherwise;
}
