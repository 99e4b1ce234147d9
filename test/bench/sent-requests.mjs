import { subscribe } from 'node:diagnostics_channel';
import { writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

// node --import sent-requests.mjs …: at its end the process says in the file SENT_REQUESTS how many requests left it, by
// origin and method, as its HTTP clients say so themselves: those that are sent again count again.

if (isMainThread) {
  const sent = {};
  const count = (origin, method) => {
    const name = `${origin} ${method}`;
    sent[name] = (sent[name] ?? 0) + 1;
  };
  subscribe('undici:client:sendHeaders', ({ request }) => count(String(request.origin), request.method));
  subscribe('http.client.request.start', ({ request }) =>
    count(`${request.protocol}//${request.getHeader('host')}`, request.method),
  );
  process.on('exit', () => writeFileSync(process.env.SENT_REQUESTS, JSON.stringify(sent)));
}
