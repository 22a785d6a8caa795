/** A call that is made once more where the refusal of the first one taught something. */
import type { WaybillError } from '../../model/errors.js';
import type { HttpAnswer } from './http-client.js';

/** Gives the error to throw for an answer that is no success. */
export type Refusal<R> = (answer: HttpAnswer, request: R) => Promise<WaybillError>;

/** The error of a refusal, and whether it taught what may make the same call succeed. */
export interface Lesson {
  readonly error: WaybillError;
  readonly hasLearned: boolean;
}

/** Runs a call, and once more if a refusal has taught something: a region, the right time, that a token has ended. */
export async function learnOnce<R, T>(
  call: (refusal: Refusal<R>) => Promise<T>,
  learn: (answer: HttpAnswer, request: R) => Promise<Lesson>,
): Promise<T> {
  let hasLearned = false;
  const refusal: Refusal<R> = async (answer, request) => {
    const lesson = await learn(answer, request);
    hasLearned = lesson.hasLearned;
    return lesson.error;
  };
  try {
    return await call(refusal);
  } catch (error) {
    if (!hasLearned) throw error;
    return call(refusal);
  }
}
