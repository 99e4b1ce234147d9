import type { Mutation } from './mutation.ts';
import { offsets } from './offsets.ts';
import { others } from './others.ts';

export const mutations: readonly Mutation[] = [...offsets, ...others];
