import { expect, test } from 'vitest';
import { TabletopicError } from '../../src/errors.ts';
import { createLogger } from '../../src/ops/logger.ts';

test('a line is JSON with time and level; an error has its code, hint and place', () => {
  const lines: string[] = [];
  const logger = createLogger({ level: 'info', format: 'json' }, (line) => lines.push(line));
  logger.debug('not written');
  logger.warn(
    { err: new TabletopicError('CATALOG_UNAVAILABLE', 'refused', { where: { snapshot: 8271638172635172635n } }) },
    'commit failed',
  );
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0]!)).toMatchObject({
    level: 40,
    msg: 'commit failed',
    err: {
      code: 'CATALOG_UNAVAILABLE',
      message: 'refused',
      where: { snapshot: '8271638172635172635' },
      hint: expect.stringContaining('uri') as string,
    },
  });
});

test('for people', () => {
  const lines: string[] = [];
  createLogger({ level: 'info', format: 'pretty' }, (line) => lines.push(line)).info(
    { table: 'shop.orders' },
    'committed',
  );
  expect(lines.join('')).toMatch(/INFO.*committed/);
  expect(lines.join('')).toContain('shop.orders');
});
