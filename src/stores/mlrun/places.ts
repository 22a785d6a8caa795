/** The stores in which the files of a record lie, each opened once. */
import type { OtherStores, Store, StoreAddress } from '../store.js';
import { inlineStore } from './inline.js';
import type { Member } from './members.js';
import { ProxiedStore } from './proxied.js';
import type { MlrunRest } from './rest.js';
import { accessTo, schemeOfTarget, wayTo } from './ways.js';

/** A file in its store. */
export interface Placed {
  readonly store: Store;
  /** Below the store's root. */
  readonly path: string;
}

/** What places are opened with. */
export interface PlacesParts {
  readonly rest: MlrunRest;
  readonly project: string;
  readonly others: OtherStores;
  /** Schemes whose files come through the API server. */
  readonly proxied: readonly string[];
  readonly address: Pick<StoreAddress, 'pace'>;
}

/** The store and the path of a target: of several files, the store is that of the folder. */
export function splitTarget({ path, target }: Pick<Member, 'path' | 'target'>): {
  readonly place: string;
  readonly path: string;
} {
  // A signed address holds for that file only; a slash at the end says that it is a folder. A web server may have no list of one.
  const isWhole = path === '' || /[?#]|\/$|^https?:/i.test(target);
  const trimmed = target.replace(/\/+$/, '');
  const at = trimmed.lastIndexOf('/');
  if (isWhole || at < 0 || /^[a-z][a-z0-9+.-]*:\/*$/i.test(trimmed.slice(0, at + 1))) {
    return { place: target, path: '' };
  }
  return { place: trimmed.slice(0, at), path: trimmed.slice(at + 1) };
}

/** Opens what is asked for, keeps it, and closes all of it. */
export class Places {
  private readonly opened = new Map<string, Promise<Store>>();

  constructor(private readonly parts: PlacesParts) {}

  /** Where a member lies. */
  async of(member: Member): Promise<Placed> {
    if (member.inline !== undefined) return { store: inlineStore(member.inline), path: '' };
    const { place, path } = splitTarget(member);
    const known = this.opened.get(place) ?? this.open(place);
    this.opened.set(place, known);
    return { store: await known, path };
  }

  async close(): Promise<void> {
    const opened = [...this.opened.values()];
    this.opened.clear();
    for (const one of await Promise.allSettled(opened)) {
      if (one.status === 'fulfilled') await one.value.close();
    }
  }

  private async open(place: string): Promise<Store> {
    const { rest, project, others, proxied, address } = this.parts;
    const viaServer = (): Store => new ProxiedStore(rest, project, place);
    if (proxied.includes(schemeOfTarget(place))) return viaServer();
    const way = await wayTo(place, rest.config, others);
    if (way.via === 'proxied') return viaServer();
    const { uri } = way;
    const { pace } = address;
    return others.open({
      uri,
      ...accessTo(uri, rest.config),
      ...(pace === undefined ? {} : { pace }),
    });
  }
}
