import { planOf, planText } from './plan.ts';
import type { Plan } from './plan.ts';
import { SeededRandom } from './random.ts';
import { simulate } from './simulation.ts';
import type { Result } from './simulation.ts';

/** How many seeds each simulation runs; `--seeds N`. */
const SEEDS = Number(process.env['TABLETOPIC_SEEDS'] ?? 200);
/** One seed alone, to look at a failure. */
const ONLY = process.env['TABLETOPIC_SEED'];
/** Lines of a trace that an error shows, from its end. */
const SHOWN = 400;

/** The seeds of one of `parts` test files, which run side by side. */
export function seedsOf(part: number, parts: number): number[] {
  if (ONLY !== undefined) return Number(ONLY) % parts === part ? [Number(ONLY)] : [];
  return Array.from({ length: SEEDS }, (_, i) => i + 1).filter((seed) => seed % parts === part);
}

/** Runs the plan of a seed, or this plan; throws with seed, plan and trace where an invariant is broken. */
export async function run(plan: number | Plan): Promise<Result> {
  const drawn = typeof plan === 'number' ? planOf(plan, new SeededRandom(plan)) : plan;
  const result = await simulate(drawn);
  if (result.problems.length > 0) throw new Error(report(drawn, result));
  return result;
}

function report(plan: Plan, { problems, trace }: Result): string {
  const { lines } = trace;
  const left = lines.length > SHOWN ? [`… ${lines.length - SHOWN} lines before`] : [];
  return [
    `seed ${plan.seed}: ${problems.join('\n')}`,
    `run it alone: TABLETOPIC_SEED=${plan.seed} npm run test:sim -- test/sim`,
    planText(plan),
    ...left,
    ...lines.slice(-SHOWN),
  ].join('\n');
}
