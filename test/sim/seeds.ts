import { planOf, planText } from './plan.ts';
import type { Plan } from './plan.ts';
import { SeededRandom } from './random.ts';
import { simulate } from './simulation.ts';
import type { Result } from './simulation.ts';

/** How many seeds each simulation runs at least; `--seeds N`. */
const SEEDS = Number(process.env['TABLETOPIC_SEEDS'] ?? 200);
/** For how long further seeds are run; `--minutes N`. */
const MINUTES = Number(process.env['TABLETOPIC_SEED_MINUTES'] ?? 0);
/** One seed alone, to look at a failure. */
const ONLY = process.env['TABLETOPIC_SEED'];
/** Lines of a trace that an error shows, from its end. */
const SHOWN = 400;

export interface Ran {
  readonly seeds: number;
  /** In how many runs each thing came about that plans aim at. */
  readonly reached: ReadonlyMap<string, number>;
}

/** Runs the seeds of one of `parts` test files, which run side by side; throws at the first that breaks an invariant. */
export async function runSeeds(part: number, parts: number): Promise<Ran> {
  const began = performance.now();
  const reached = new Map<string, number>();
  let seeds = 0;
  const one = async (seed: number): Promise<void> => {
    const result = await run(seed);
    for (const what of result.reached) reached.set(what, (reached.get(what) ?? 0) + 1);
    seeds++;
  };
  if (ONLY !== undefined) {
    if (Number(ONLY) % parts === part) await one(Number(ONLY));
  } else {
    for (let seed = part + 1; seed <= SEEDS || performance.now() - began < MINUTES * 60_000; seed += parts)
      await one(seed);
  }
  return { seeds, reached };
}

/** Of what plans aim at, what no run came to: a plan that no longer brings about its faults proves nothing. */
export function missed({ seeds, reached }: Ran): string[] {
  const often = ['caught up', 'pending object', 'schema evolved', 'several files in a commit', 'backfill'];
  const seldom = [
    'others carried',
    'list file of dead letters',
    'a person after KAFKA_TOPIC_CHANGED',
    'a person after KAFKA_LOG_TRUNCATED',
    'a person after KAFKA_OFFSETS_DELETED',
    'a person after OFFSETS_AMBIGUOUS',
    'a person after TABLE_CHANGED',
  ];
  return [...(seeds >= 100 ? often : []), ...(seeds >= 500 ? seldom : [])].filter((what) => !reached.has(what));
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
