import { describe, expect, test } from 'vitest';
import { type ForkOptions, forkBranch, publishingOf } from '../../src/maintain/fork.ts';
import { publishBranch } from '../../src/maintain/publish.ts';
import { rollbackTable } from '../../src/maintain/rollback.ts';
import { verifyHistory } from '../../src/maintain/verify-history.ts';
import { TOPIC, World, ident } from '../commit/world.ts';
import { catalogOf, logOf, targetOf } from './change-target.ts';

const fork = (of: World, from: number | null, more: Partial<ForkOptions> & { start?: number } = {}) =>
  forkBranch({
    ...targetOf(of, 'again'),
    topic: TOPIC,
    from: from === null ? null : new Map([[0, from]]),
    logStart: new Map([[0, more.start ?? 0]]),
    ...more,
  });

/** Main stands at 30; `heads` are its snapshots at offsets 0, 10, 20, 30. */
async function live(): Promise<{ of: World; heads: bigint[]; main: Awaited<ReturnType<typeof begin>> }> {
  const of = new World();
  const main = await begin(of);
  const heads = [of.head()];
  for (const end of [10, 20, 30]) {
    await main.commitTo(end);
    heads.push(of.head());
  }
  return { of, heads, main };
}
const begin = (of: World) => of.instance().start();

describe('a branch to read a range again', () => {
  test.each([
    [0, 0],
    [9, 0],
    [10, 1],
    [19, 1],
    [99, 3],
  ])('from offset %i begins at main’s newest snapshot that stood there or before', async (from, index) => {
    const { of, heads } = await live();
    await fork(of, from);
    expect(of.head('again')).toBe(heads[index]);
    expect(of.head()).toBe(heads[3]);
  });

  test('with no offset asked for: at the oldest snapshot that the log can be read on from', async () => {
    const { of, heads } = await live();
    await fork(of, null, { start: 5 });
    expect(of.head('again')).toBe(heads[1]);
  });

  test('a snapshot of another writer, and an expired one, are not begun at', async () => {
    const { of, heads } = await live();
    await of.compact();
    await of.expire([heads[0]!]);
    await fork(of, 99);
    expect(of.head('again')).toBe(heads[3]);
    await expect(fork(of, 5, { ...targetOf(of, 'older') })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('stood at 0:10') as string,
    });
    expect(of.metadata.refs!['older']).toBeUndefined();
  });

  test('what the log no longer holds cannot be begun at', async () => {
    const { of } = await live();
    await expect(fork(of, 25, { start: 21 })).rejects.toMatchObject({ code: 'USAGE' });
    await expect(fork(of, null, { start: 31 })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('none states offsets') as string,
    });
  });

  test('main goes on meanwhile; put back to where the branch began, it takes the branch over, and goes on from there', async () => {
    const { of, heads, main } = await live();
    await fork(of, 10);
    const again = await of.instance({ branch: 'again' }).start();
    expect(again.next()).toBe(10);
    await main.commitTo(40);
    await again.commitTo(25);
    await main.commitTo(50);
    expect(await of.problems([50])).toEqual([]);
    expect(publishingOf(of.metadata, 'again')).toEqual({
      main: String(of.head()),
      base: String(heads[1]),
      forward: false,
    });
    const publish = () => publishBranch({ address: { catalog: of.catalog, ident }, ports: of.ports, branch: 'again' });
    await expect(publish()).rejects.toMatchObject({
      code: 'BRANCH_DIVERGED',
      hint: expect.stringContaining(`--to ${heads[1]}`) as string,
    });
    await rollbackTable({ ...targetOf(of), log: logOf(of), to: { snapshotId: heads[1]! }, acceptLoss: false });
    expect(publishingOf(of.metadata, 'again').forward).toBe(true);
    await publish();
    expect(await of.problems([25])).toEqual([]);
    const after = await of.instance().start();
    expect(after.next()).toBe(25);
    await after.commitTo(50);
    expect(await of.problems([50])).toEqual([]);
    const { duplicates, missing, problems } = verifyHistory((await of.catalog.loadTable(ident, 'all'))!, 'main');
    expect([...duplicates, ...missing, ...problems]).toEqual([]);
  });

  test('is begun once: a lost answer is looked up, and a branch that is there stays as it is', async () => {
    const { of, heads } = await live();
    let commits = 0;
    const lost = catalogOf(of, () => Promise.resolve(commits++ === 0 ? 'lost-answer' : null));
    await fork(of, 10, { address: { catalog: lost, ident, branch: 'again' } });
    expect([of.head('again'), commits]).toEqual([heads[1], 1]);
    await fork(of, 20);
    expect(of.head('again')).toBe(heads[1]);
  });

  test('of a table without snapshots: nothing to begin at, all of it can be published', async () => {
    const of = new World();
    await of.instance({ branch: 'again' }).start();
    await fork(of, 0);
    expect(Object.keys(of.metadata.refs!)).toEqual(['again']);
    expect(publishingOf(of.metadata, 'again')).toEqual({ main: null, base: null, forward: true });
  });
});
