/** What the engine knows of the shares that its work depends on; see ShareWatch. */
import { isAbsolute } from 'node:path';
import { schemeOf } from '../model/artifact-uri.js';
import type { Mount } from '../model/mount-table.js';
import type { About, Shares, ShareWatch } from './api.js';
import { shareOf, ShareProbes } from './shares.js';

/** So many sources are remembered; of one that is forgotten it is not known that it lies on a share. */
const MAX_SOURCES = 1_000;

/** Remembers where the sources of the open pulls lie: their records are at the destination, which may be what hangs. */
export class EngineShares implements ShareWatch {
  private readonly sources = new Map<string, string>();
  private readonly probes = new ShareProbes();

  /** Notes where the bytes of a pull come from. */
  note(recordDir: string, uri: string): void {
    this.sources.delete(recordDir);
    this.sources.set(recordDir, uri);
    const oldest = this.sources.keys().next().value;
    if (this.sources.size > MAX_SOURCES && oldest !== undefined) this.sources.delete(oldest);
  }

  async of({ ref, request }: About): Promise<Shares> {
    const uri = ref === undefined ? request?.source.uri : this.sources.get(ref.recordDir);
    const path = uri === undefined ? undefined : pathOf(uri);
    const to = ref?.recordDir ?? request?.destination.path;
    const source = path === undefined ? undefined : await shareOf(path);
    const destination = to === undefined ? undefined : await shareOf(to);
    return {
      ...(source === undefined ? {} : { source }),
      ...(destination === undefined ? {} : { destination }),
    };
  }

  answers(share: Mount): Promise<boolean> {
    return this.probes.answers(share);
  }
}

/** The path of a local source; undefined for anything else, and for what its store refuses. */
function pathOf(uri: string): string | undefined {
  if (isAbsolute(uri)) return uri;
  if (schemeOf(uri) !== 'file') return undefined;
  try {
    return decodeURIComponent(new URL(uri).pathname);
  } catch {
    return undefined;
  }
}
