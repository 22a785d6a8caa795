/** A thrown thing as an Error. */

/**
 * The thing itself where it looks like an error, else an error of its text. Not by `instanceof`: errors of Node's own modules
 * come from another realm under Jest and in `vm` contexts.
 */
export function asError(thrown: unknown): Error {
  if (typeof thrown === 'object' && thrown !== null && 'message' in thrown) return thrown as Error;
  return new Error(String(thrown));
}

/** Why a signal was aborted, as an Error. */
export function reasonOf(signal: AbortSignal | undefined): Error {
  return asError(signal?.reason);
}
