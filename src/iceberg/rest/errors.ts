import { TabletopicError } from '../../errors.ts';
import type { CommitOutcome } from '../catalog.ts';
import type { HttpAnswer } from './transport.ts';

/** `ErrorModel` of the REST spec; null where the body is none (a proxy, another server). */
export function errorModel({ text }: HttpAnswer): { readonly message: string; readonly type: string } | null {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: string; type?: string } };
    return error ? { message: error.message ?? '', type: error.type ?? '' } : null;
  } catch {
    return null;
  }
}

/** What the server says, in one line. */
export function saying(answer: HttpAnswer): string {
  const error = errorModel(answer);
  const text = error ? `${error.type}: ${error.message}` : answer.text.replace(/\s+/g, ' ');
  return `${answer.status} ${text.slice(0, 500)}`.trim();
}

/** A definite refusal as an error, by status. */
export function refusal(answer: HttpAnswer, what: string, url: string): TabletopicError {
  const message = `${what}: the catalog answers ${saying(answer)}`;
  const where = { url, status: answer.status };
  switch (true) {
    case answer.status === 401 || answer.status === 419:
      return new TabletopicError('CATALOG_AUTH', message, { where });
    case answer.status === 403:
      return new TabletopicError('CATALOG_REFUSED', message, {
        where,
        hint: 'These credentials lack a right in the catalog: grant reading, creating and committing of this table.',
      });
    case answer.status === 429 || answer.status >= 500:
      return new TabletopicError('CATALOG_UNAVAILABLE', message, { where });
    case answer.status === 404 && errorModel(answer) === null:
      return new TabletopicError('CATALOG_REFUSED', message, {
        where,
        hint: 'Is `catalogs.<name>.uri` that of an Iceberg REST catalog, without `/v1`? Is `warehouse` or `prefix` right?',
      });
    default:
      return new TabletopicError('CATALOG_REFUSED', message, { where });
  }
}

/** A 400 by which servers say that another commit came between (Java before 1.10.1 does so for sequence numbers), or that this very one was applied. */
const CONFLICT_TEXT = /sequence.number|first.row.id|snapshot .*already exists|already exists for id/i;

/**
 * Outcome of a commit from its answer (invariant 4), or null for 200: 409, 412 and a 400 about sequence numbers are
 * conflicts, 408 and 5xx unknown.
 *
 * @throws TabletopicError for definite refusals: `CATALOG_AUTH`, `CATALOG_REFUSED`, `TABLE_NOT_FOUND`, and `CATALOG_UNAVAILABLE` for a 429.
 *
 * Breaks: test/iceberg/rest.test.ts, "of a commit as it is, and sends nothing twice", "that was turned away (429)",
 * "renews it once".
 */
export function commitOutcome(
  answer: HttpAnswer,
  table: string,
  url: string,
): Exclude<CommitOutcome, { outcome: 'committed' }> | null {
  const { status } = answer;
  if (status === 200) return null;
  if (status === 409 || status === 412 || (status === 400 && CONFLICT_TEXT.test(saying(answer))))
    return { outcome: 'conflict', reason: saying(answer) };
  if (status === 408 || status >= 500)
    return unknownOutcome(`commit of ${table}: the catalog answers ${saying(answer)}`, url);
  if (status === 404 && errorModel(answer) !== null)
    throw new TabletopicError('TABLE_NOT_FOUND', `commit of ${table}: ${saying(answer)}`, { where: { table, url } });
  throw refusal(answer, `commit of ${table}`, url);
}

export function unknownOutcome(
  message: string,
  url: string,
  cause?: unknown,
): Extract<CommitOutcome, { outcome: 'unknown' }> {
  return { outcome: 'unknown', error: new TabletopicError('COMMIT_UNKNOWN', message, { cause, where: { url } }) };
}
