/** From what was asked for to where its bytes lie, the same for a pull and for the commands that only look. */
import type { ObjectEntry } from '../model/object-entry.js';
import type { Resolution, StoreAddress } from '../stores/store.js';
import type { Reach } from './reach.js';

/** What resolves references. */
export interface Resolver {
  isReference(uri: string): boolean;
  resolve(address: StoreAddress, options: { signal?: AbortSignal }): Promise<Resolution>;
}

/** Where a source leads. */
export interface Storage {
  readonly resolution: Resolution;
  /** How its bytes are opened. */
  readonly address: StoreAddress;
}

/** Resolves a reference, and holds what it leads to to what may be read (rule 4): throws WB_PERMISSION_DENIED before that is opened. */
export async function findStorage(
  asked: StoreAddress,
  sources: Resolver,
  reach: Pick<Reach, 'checkSource'>,
  signal?: AbortSignal,
): Promise<Storage> {
  const resolution: Resolution = sources.isReference(asked.uri)
    ? await sources.resolve(asked, { ...(signal ? { signal } : {}) })
    : { uri: asked.uri };
  const settings = { ...asked.settings, ...resolution.settings };
  await reach.checkSource(asked.uri, resolution.uri, settings);
  for (const read of resolution.reads ?? []) await reach.checkSource(asked.uri, read, settings);
  return { resolution, address: storageAddress(asked, resolution.uri, settings) };
}

/** What a source is called where nobody says: a reference may not tell the name of its only file. */
export function nameOfSource(
  sources: { factoryOf(uri: string): { localName(uri: string): string | undefined } },
  asked: string,
  { uri, fileName }: Resolution,
  kind: ObjectEntry['kind'],
): string {
  const own = kind === 'file' ? fileName : undefined;
  return (
    own ??
    sources.factoryOf(asked).localName(asked) ??
    sources.factoryOf(uri).localName(uri) ??
    'download'
  );
}

/** The address behind a source. What came inside the asked URI (userinfo, presigned query) belongs to that URI alone. */
export function storageAddress(
  asked: Pick<StoreAddress, 'uri' | 'secrets'>,
  uri: string,
  settings: StoreAddress['settings'],
): StoreAddress {
  if (uri === asked.uri) return { uri, settings, secrets: asked.secrets };
  const kept = Object.entries(asked.secrets).filter(
    ([name]) => !['username', 'password', 'query'].includes(name),
  );
  return { uri, settings, secrets: Object.fromEntries(kept) };
}
