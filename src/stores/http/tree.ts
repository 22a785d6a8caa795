/** How an http source lists and describes what is in it, once per kind of source. */
import type { ObjectEntry } from '../../model/object-entry.js';
import type { CallOptions, ListOptions } from '../store.js';

/** A tree of files behind HTTP. */
export interface HttpTree {
  /** Whether sizes in its listing are known and exact. */
  readonly knowsSizes: boolean;
  /** Describes a path without a slash at its end; '' is the root. */
  stat(path: string, options: CallOptions): Promise<ObjectEntry>;
  /** Lists in byte order of the paths. */
  list(prefix: string, options: ListOptions): AsyncIterable<ObjectEntry>;
  /** Checks a path before it is opened, and tells the digests that are known of it. */
  lookUp(path: string, options: CallOptions): Promise<ObjectEntry | undefined>;
}
