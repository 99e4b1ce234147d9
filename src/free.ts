/** Bytes from which on giving memory back at once is worth the call. */
export const WORTH_FREEING = 4 << 10;

/**
 * Gives memory back now; whoever looks at it afterwards finds it empty. The collector would give it back too, but only
 * when it comes by, and it does not see that megabytes hang on a small object: dead buffers would be most of what the
 * process holds. Only for memory that is wholly one's own: nothing may be reading it any more, not even the system.
 */
export function free(buffer: ArrayBufferLike): void {
  if (!(buffer instanceof ArrayBuffer) || buffer.detached) return;
  try {
    buffer.transfer(0);
  } catch {
    // The pool of small Buffers cannot be given away, and is nobody’s own.
  }
}
