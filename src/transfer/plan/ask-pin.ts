/** Asking a source whether it still has the version of a file that is here, where its listing does not say. */
import { WaybillError } from '../../model/errors.js';
import type { Pin } from '../../model/object-entry.js';
import type { Store } from '../../stores/store.js';
import type { LiveListing } from './live-listing.js';

/** The question for `ExistingContext`; none where it would cost more than it saves. */
export function pinAsker(
  store: Store,
  signal: AbortSignal,
  live?: Pick<LiveListing, 'again' | 'moved'>,
): { askPin?: (path: string) => Promise<Pin | undefined> } {
  if (store.capabilities.describesCheaply !== true) return {};
  return {
    askPin: async (path) => {
      for (;;) {
        try {
          const { pin } = await store.stat(path, { signal });
          live?.moved();
          return pin;
        } catch (error) {
          // What is wrong with this one file, fetching it will say.
          if (error instanceof WaybillError && error.scope === 'file') return undefined;
          if (live === undefined) throw error;
          signal.throwIfAborted();
          await live.again(error);
        }
      }
    },
  };
}
