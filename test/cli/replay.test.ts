import { describe, expect, test } from 'vitest';
import { main } from '../../src/cli/cli.ts';
import type { CliContext } from '../../src/cli/context.ts';
import type { DeadLetter } from '../../src/commit/commit.ts';
import { readPositions } from '../../src/maintain/positions.ts';
import { deadRows } from '../commit/dead-table.ts';
import { TOPIC, World, type Instance } from '../commit/world.ts';
import { type Console, configFile, testContext } from './context.ts';

/** A table with ten offsets, of which the odd ones are dead letters: 1 and 3 are JSON by now, the others never will be. */
async function world(): Promise<{ cli: CliContext & Console; of: World; instance: Instance }> {
  const of = new World();
  const instance = await of.instance().start();
  instance.dead = (_, offset) => offset % 2 === 1;
  const letters = (from: number, to: number): DeadLetter[] =>
    [1, 3, 5, 7, 9].filter((offset) => offset >= from && offset < to).map(letter);
  for (const [from, to] of [
    [0, 4],
    [4, 10],
  ] as const)
    await instance.committer.commit(await instance.prepare([to], [], { deadLetters: letters(from, to) }));
  const refuse = (): never => {
    throw new Error('not part of this test');
  };
  const connect = {
    source: refuse,
    catalog: () => of.catalog,
    fileIO: () => of.io,
    registry: () => null,
    positions: readPositions,
  };
  return { cli: testContext({ connect }), of, instance };
}

function letter(offset: number): DeadLetter {
  const value = offset < 5 ? `{"offset":${offset},"more":"new"}` : offset === 5 ? '{"offset":"five"}' : '{';
  return {
    topic: TOPIC,
    partition: 0,
    offset,
    timestamp: 1_700_000_000_000 + offset,
    timestampType: offset === 3 ? 1 : 0,
    key: Buffer.from(`k${offset}`),
    value: Buffer.from(value),
    headers: [{ key: 'h', value: null }],
    code: offset === 9 ? 'VALUE_OUT_OF_RANGE' : 'DECODE_JSON',
    reason: 'by the test',
    schemaId: null,
  };
}

const file = (): string =>
  configFile(`kafka: { brokers: [a:1] }
catalogs: { lake: { type: rest, uri: http://a, warehouse: s3://lake/w } }
tables: [{ topic: ${TOPIC}, table: shop.orders, value: { format: json }, metadataColumns: flat }]
`);

const replay = (...more: string[]): string[] => ['replay', '-c', file(), '--table', 'shop.orders', '--json', ...more];
const dead = async (of: World): Promise<number[]> =>
  (await deadRows(of)).map(({ offset }) => Number(offset)).sort((a, b) => a - b);

describe('replay', () => {
  test('what decodes now is a row, once; what does not stays dead, with its reason', async () => {
    const { cli, of, instance } = await world();
    expect(await main(replay(), cli)).toBe(0);
    const result = JSON.parse(cli.out) as { failed: { code: string; count: number }[]; snapshots: string[] };
    expect(result).toMatchObject({ table: 'shop.orders', selected: 5, replayed: 2, dryRun: false, warnings: [] });
    expect(result.failed.reduce((sum, { count }) => sum + count, 0)).toBe(3);
    expect(result.snapshots).toEqual([String(of.head())]);
    expect(await dead(of)).toEqual([5, 7, 9]);
    expect(of.metadata.snapshots!.at(-1)!.summary).toMatchObject({ 'added-records': '2' });
    const again = testContext({ connect: cli.connect });
    expect(await main(replay(), again)).toBe(0);
    expect(JSON.parse(again.out)).toMatchObject({ selected: 3, replayed: 0, snapshots: [] });
    await instance.committer.close();
  });

  test.each([
    [['--code', 'VALUE_OUT_OF_RANGE'], 1, 0],
    [['--offsets', '0:1'], 1, 1],
    [['--offsets', '0:3-7'], 3, 1],
    [['--offsets', '1:0-9'], 0, 0],
    [['--since', new Date(1_700_000_000_003).toISOString()], 4, 1],
    [['--topic', 'other'], 0, 0],
  ])('%j chooses', async (options, selected, replayed) => {
    const { cli, instance } = await world();
    expect(await main(replay(...options), cli)).toBe(0);
    expect(JSON.parse(cli.out)).toMatchObject({ selected, replayed });
    await instance.committer.close();
  });

  test('--dry-run says what would become of them and changes nothing, not even a column', async () => {
    const { cli, of, instance } = await world();
    await instance.committer.close();
    const before = { head: of.head(), objects: of.io.objects.size, metadata: JSON.stringify(of.metadata.schemas) };
    expect(await main(replay('--dry-run'), cli)).toBe(0);
    expect(JSON.parse(cli.out)).toMatchObject({ selected: 5, replayed: 2, dryRun: true, snapshots: [] });
    expect({ head: of.head(), objects: of.io.objects.size, metadata: JSON.stringify(of.metadata.schemas) }).toEqual(
      before,
    );
  });

  test('for a person', async () => {
    const { cli, instance } = await world();
    expect(
      await main(
        replay().filter((word) => word !== '--json'),
        cli,
      ),
    ).toBe(0);
    expect(cli.out).toContain('shop.orders: of 5 dead letters 2 are rows now\n');
    expect(cli.out).toContain('stays dead: ');
    await instance.committer.close();
  });

  test('a range that is none is refused', async () => {
    const { cli, instance } = await world();
    expect(await main(replay('--offsets', '0:9-3'), cli)).toBe(2);
    expect(cli.err).toContain('Write partition:from-to');
    await instance.committer.close();
  });
});
