/** Keeps what travels through Temporal small (rule 29): texts cut at a character, failures capped in number. */
import type { Failure, PullResult } from './pull.js';

/** Longest message of a failure, in UTF-8 bytes. */
export const MAX_MESSAGE_BYTES = 1_024;

/**
 * Longest summary for Temporal's pages, as JSON. The server takes 400 bytes with everything around it: the encoding's name
 * (24), a signature (49) or what encryption adds (28, the names of the cipher and of its key: 69), and a few for the fields
 * themselves.
 */
const MAX_SUMMARY_JSON_BYTES = 260;

/** Failures that progress and results carry; the journal at the destination has all of them. */
export const MAX_SHOWN_FAILURES = 5;

/** Bytes that the result of a pull may have. */
const MAX_RESULT_BYTES = 2_000;

const encoder = new TextEncoder();

/** The size of a text in UTF-8. */
export function utf8Bytes(text: string): number {
  return encoder.encode(text).length;
}

/** Cuts a text to so many UTF-8 bytes at a character, with an ellipsis where something is left out. */
export function cutText(text: string, maxBytes: number): string {
  if (utf8Bytes(text) <= maxBytes) return text;
  let bytes = 3;
  let kept = '';
  for (const character of text) {
    bytes += utf8Bytes(character);
    if (bytes > maxBytes) break;
    kept += character;
  }
  return `${kept}…`;
}

/** A summary fit for Temporal's pages: cut at a character, quotes and escapes counted. */
export function cutSummary(text: string): string {
  let maxBytes = MAX_SUMMARY_JSON_BYTES - 2;
  for (;;) {
    const cut = cutText(text, maxBytes);
    const excess = utf8Bytes(JSON.stringify(cut)) - MAX_SUMMARY_JSON_BYTES;
    if (excess <= 0) return cut;
    maxBytes -= Math.max(1, Math.ceil(excess / 6));
  }
}

/** A failure fit for progress and results: a path of at most 160 bytes, a message of at most 200. */
export function capFailure(failure: Failure): Failure {
  return {
    path: cutText(failure.path, 160),
    code: failure.code,
    message: cutText(failure.message, 200),
  };
}

/** A result of under 2 KiB: the message, the warnings and the failures are capped, the counts stay whole. */
export function capResult(result: PullResult): PullResult {
  let shown = MAX_SHOWN_FAILURES;
  for (;;) {
    const capped: PullResult = {
      ...result,
      ...(result.message === undefined ? {} : { message: cutText(result.message, 400) }),
      failures: result.failures.slice(0, shown).map(capFailure),
      warnings: result.warnings.slice(0, shown).map((warning) => cutText(warning, 200)),
    };
    if (shown === 0 || utf8Bytes(JSON.stringify(capped)) <= MAX_RESULT_BYTES) return capped;
    shown -= 1;
  }
}
