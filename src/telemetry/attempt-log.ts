/** A line of the log for each attempt that failed: which pull, which code, and whether it is made again. */
import type { AttemptWatcher } from '../activities/watch.js';
import { cutText } from '../model/caps.js';
import { hideSecretLooking } from '../model/secret-text.js';

/** Where lines go. */
export type LogLine = (facts: object, message: string) => void;

/** Logs failures; a stop by a pause, a cancel or a shutdown is none. */
export function logAttempts(warn: LogLine): AttemptWatcher {
  return ({ activity, pullId, attempt }) => ({
    ended: (end) => {
      if (end.kind !== 'failed') return;
      const { error, isFinal } = end;
      const reason = cutText(hideSecretLooking(error.message), 1_000);
      const facts = { pullId, activity, attempt, code: error.code, reason };
      warn(facts, isFinal ? 'an attempt failed' : 'an attempt failed and is made again');
    },
  });
}

/** Tells several watchers of the same attempts. */
export function watchTogether(watchers: readonly AttemptWatcher[]): AttemptWatcher {
  return (facts, input) => {
    const watches = watchers.map((watcher) => watcher(facts, input));
    return {
      moved: (progress) => watches.forEach((watch) => watch.moved?.(progress)),
      ended: (end) => watches.forEach((watch) => watch.ended(end)),
    };
  };
}
