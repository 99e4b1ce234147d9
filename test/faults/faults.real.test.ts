import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Lab } from './lab.ts';
import { isExact } from './outcome.ts';
import { scenarios } from './scenarios/all.ts';

// Every scenario of `npm run test:faults`, with few faults each.

let lab: Lab;

beforeAll(async () => {
  lab = await Lab.open();
});
afterEach(() => lab.mend());
afterAll(() => lab.close());

test.for(scenarios)('$name', async (scenario) => {
  const outcomes = await scenario.run(lab, scenario.few);
  expect(outcomes.filter((outcome) => !isExact(outcome))).toEqual([]);
  expect(outcomes.every(({ records, times }) => records > 0 && times > 0)).toBe(true);
});
