import fc from 'fast-check';

// Property tests draw the same values in every run, so that a failure is the change's and not the day's. To look
// further: TABLETOPIC_FC_SEED=random (the report names the seed of a failure), or a number.
const wanted = process.env['TABLETOPIC_FC_SEED'] ?? '20261122';
if (wanted !== 'random') fc.configureGlobal({ seed: Number(wanted) });
