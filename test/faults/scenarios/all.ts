import type { Scenario } from '../lab.ts';
import { kills } from './kills.ts';
import { membership } from './membership.ts';
import { network } from './network.ts';
import { rolling } from './rolling.ts';
import { servers } from './servers.ts';
import { spark } from './spark.ts';
import { twoGroups } from './two-groups.ts';
import { zombies } from './zombies.ts';

export const scenarios: readonly Scenario[] = [kills, servers, network, rolling, zombies, twoGroups, membership, spark];
