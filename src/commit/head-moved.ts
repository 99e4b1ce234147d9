import { asTabletopicError } from '../errors.ts';
import type { Known } from './known.ts';
import type { TableSession } from './session.ts';

/**
 * What `task` makes of a state, or null where it missed a file only because another writer moved the head and expired
 * what was read: then the caller decides anew. A file that the head itself names and that is missing is an error.
 */
export async function onSameHead<T>(session: TableSession, known: Known, task: () => Promise<T>): Promise<T | null> {
  try {
    return await task();
  } catch (error) {
    if (asTabletopicError(error).code !== 'STORAGE_NOT_FOUND') throw error;
    const now = await session.reload();
    if (now.headSnapshotId === known.headSnapshotId) throw error;
    return null;
  }
}
