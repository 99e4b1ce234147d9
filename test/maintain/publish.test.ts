import { describe, expect, test } from 'vitest';
import { publishBranch } from '../../src/maintain/publish.ts';
import { verifyHistory } from '../../src/maintain/verify-history.ts';
import { World, ident } from '../commit/world.ts';
import { catalogOf } from './change-target.ts';

const publish = (of: World, branch = 'audit', catalog = of.catalog) =>
  publishBranch({ address: { catalog, ident }, ports: of.ports, branch });
const verified = async (of: World, branch: string) => {
  const { duplicates, missing, problems } = verifyHistory((await of.catalog.loadTable(ident, 'all'))!, branch);
  return [...duplicates, ...missing, ...problems];
};

describe('publish', () => {
  test('what was written on a branch comes to main, rows and offsets, again and again', async () => {
    const of = new World();
    const audit = await of.instance({ branch: 'audit' }).start();
    await audit.commitTo(10);
    expect(of.metadata.refs!['main']).toBeUndefined();
    expect(await verified(of, 'audit')).toEqual([]);
    expect(await publish(of)).toMatchObject({ from: null, to: String(of.head('audit')), snapshots: 2, addedRows: 10 });
    expect(await of.problems([10])).toEqual([]);
    await audit.commitTo(20);
    await audit.commitTo(30);
    expect(await of.problems([10])).toEqual([]);
    expect(await publish(of)).toMatchObject({ snapshots: 2, addedRows: 20 });
    expect(await of.problems([30])).toEqual([]);
    expect(await publish(of)).toMatchObject({ snapshots: 0, from: String(of.head()), to: String(of.head()) });
    // Whoever writes main goes on from the offsets that came with the rows, even when the branch's history is gone.
    await of.expire(of.metadata.snapshots!.map((snapshot) => snapshot['snapshot-id']).filter((id) => id !== of.head()));
    const main = await of.instance().start();
    expect(main.next()).toBe(30);
    await main.commitTo(40);
    expect(await of.problems([40])).toEqual([]);
  });

  test('is refused once main has moved; a fresh branch is the way out', async () => {
    const of = new World();
    const main = await of.instance().start();
    await main.commitTo(10);
    const audit = await of.instance({ branch: 'audit' }).start();
    await audit.commitTo(20);
    await main.commitTo(15);
    const before = of.metadata;
    await expect(publish(of)).rejects.toMatchObject({
      code: 'BRANCH_DIVERGED',
      exit: 3,
      hint: expect.stringContaining('fresh branch') as string,
    });
    expect(of.metadata).toBe(before);
    const fresh = await of.instance({ branch: 'audit2' }).start();
    expect(fresh.next()).toBe(15);
    await fresh.commitTo(20);
    await publish(of, 'audit2');
    expect(await of.problems([20])).toEqual([]);
    expect(await verified(of, 'main')).toEqual([]);
  });

  test('main moves between the look and the commit: refused', async () => {
    const of = new World();
    const main = await of.instance().start();
    await (await of.instance({ branch: 'audit' }).start()).commitTo(20);
    let commits = 0;
    const catalog = catalogOf(of, async () => {
      if (commits++ === 0) await main.commitTo(15);
      return null;
    });
    await expect(publish(of, 'audit', catalog)).rejects.toMatchObject({ code: 'BRANCH_DIVERGED' });
    expect(await of.problems([15])).toEqual([]);
  });

  test('of no branch, or of main', async () => {
    const of = new World();
    await of.instance().start();
    await expect(publish(of)).rejects.toMatchObject({ code: 'USAGE' });
    await expect(publish(of, 'main')).rejects.toMatchObject({ code: 'USAGE' });
  });
});
