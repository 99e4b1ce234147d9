import { subscribe } from 'node:diagnostics_channel';
import { writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

/** Tells of each request of this thread as its HTTP client sends it; one that is sent again is told again. */
export function onRequest(sent) {
  subscribe('http.client.request.start', ({ request }) =>
    sent(`${request.protocol}//${request.getHeader('host')}`, request.method),
  );
}

// SENT_REQUESTS=FILE node --import sent-requests.mjs …: at its end the process says in the file how many requests left it.
const file = process.env.SENT_REQUESTS;
if (isMainThread && file) {
  const counts = {};
  onRequest((origin, method) => {
    const name = `${origin} ${method}`;
    counts[name] = (counts[name] ?? 0) + 1;
  });
  process.on('exit', () => writeFileSync(file, JSON.stringify(counts)));
}
