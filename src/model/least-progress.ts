/** What is too little to be called progress (decision 29): no line that anybody uses is that slow. */

/** A connection that brings fewer is as good as silent. */
export const LEAST_BYTES_PER_SECOND = 16;

/** What that makes in a minute: fewer bytes, in however many connections, are none. */
export const LEAST_PROGRESS_BYTES = LEAST_BYTES_PER_SECOND * 60;
