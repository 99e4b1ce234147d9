import type { TopicPartition } from './source.ts';
import { partitionKey } from './membership.ts';

/** What a member says of itself when it joins. */
export interface JoinedMember {
  readonly memberId: string;
  readonly topics: readonly string[];
  /** What it still owns from `generation`. */
  readonly owned: readonly TopicPartition[];
  readonly generation: number;
}

interface Share {
  readonly member: JoinedMember;
  readonly topics: ReadonlySet<string>;
  readonly partitions: TopicPartition[];
}

/**
 * The cooperative-sticky assignment (KIP-429, KIP-480): balanced within one partition, and as much as balance allows
 * stays where it is.
 *
 * Maintained invariant: a partition that one member claims to own is not given to another in the same round. It is
 * withheld; its owner revokes it, joins again, and the next round gives it away. So it never has two owners.
 */
export function assignCooperatively(
  members: readonly JoinedMember[],
  partitionCounts: ReadonlyMap<string, number>,
): Map<string, TopicPartition[]> {
  const shares = [...members]
    .sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
    .map((member): Share => ({ member, topics: new Set(member.topics), partitions: [] }));
  const owners = trustedOwners(shares);
  const free: TopicPartition[] = [];
  for (const p of allPartitions(shares, partitionCounts)) {
    const owner = owners.get(partitionKey(p));
    if (owner === undefined) free.push(p);
    else owner.partitions.push(p);
  }
  for (const p of free) leastLoaded(shares, p)?.partitions.push(p);
  balance(shares);
  return withhold(shares);
}

/** Who keeps a partition at first: the claim of the newest generation; two claims of it cancel each other. */
function trustedOwners(shares: readonly Share[]): Map<string, Share> {
  const claims = new Map<string, { share: Share; contested: boolean }>();
  for (const share of shares) {
    for (const p of share.member.owned) {
      if (!share.topics.has(p.topic)) continue;
      const key = partitionKey(p);
      const rival = claims.get(key);
      if (rival === undefined || rival.share.member.generation < share.member.generation)
        claims.set(key, { share, contested: false });
      else if (rival.share.member.generation === share.member.generation) claims.set(key, { share, contested: true });
    }
  }
  const owners = new Map<string, Share>();
  for (const [key, { share, contested }] of claims) if (!contested) owners.set(key, share);
  return owners;
}

function* allPartitions(
  shares: readonly Share[],
  partitionCounts: ReadonlyMap<string, number>,
): Generator<TopicPartition> {
  const topics = new Set(shares.flatMap((s) => s.member.topics));
  for (const topic of [...topics].sort()) {
    for (let partition = 0; partition < (partitionCounts.get(topic) ?? 0); partition++) yield { topic, partition };
  }
}

function leastLoaded(shares: readonly Share[], { topic }: TopicPartition): Share | undefined {
  let least: Share | undefined;
  for (const s of shares)
    if (s.topics.has(topic) && (least === undefined || s.partitions.length < least.partitions.length)) least = s;
  return least;
}

/** Moves partitions, each time from the most to the least loaded that may take one, until no move makes it more even. */
function balance(shares: Share[]): void {
  for (;;) {
    const byLoad = [...shares].sort((a, b) => a.partitions.length - b.partitions.length);
    if (!byLoad.some((poor) => byLoad.toReversed().some((rich) => moveOne(rich, poor)))) return;
  }
}

function moveOne(rich: Share, poor: Share): boolean {
  if (rich.partitions.length - poor.partitions.length < 2) return false;
  // From the end: what was free before this round was added last, so that what is owned moves last.
  const at = rich.partitions.findLastIndex((p) => poor.topics.has(p.topic));
  if (at < 0) return false;
  poor.partitions.push(...rich.partitions.splice(at, 1));
  return true;
}

function withhold(shares: readonly Share[]): Map<string, TopicPartition[]> {
  const claimants = new Map<string, Set<string>>();
  for (const { member } of shares) {
    for (const p of member.owned) {
      const key = partitionKey(p);
      const set = claimants.get(key) ?? new Set();
      claimants.set(key, set.add(member.memberId));
    }
  }
  const result = new Map<string, TopicPartition[]>();
  for (const { member, partitions } of shares) {
    const given = partitions.filter((p) => {
      const claims = claimants.get(partitionKey(p));
      return claims === undefined || (claims.size === 1 && claims.has(member.memberId));
    });
    result.set(member.memberId, given);
  }
  return result;
}
