/** Opening the list that `--expect` names, wherever it lies. */
import type { Readable } from 'node:stream';
import { isAbsolute } from 'node:path';
import { WaybillError } from '../model/errors.js';
import type { OpenObject, Resolution, StoreAddress } from '../stores/store.js';
import type { CallContext } from './api.js';
import type { StoreOpener } from './pull-context.js';

/** What opens a list: the registry of the stores. */
export interface ListOpener extends StoreOpener {
  isReference(uri: string): boolean;
  resolve(address: StoreAddress, options: { signal?: AbortSignal }): Promise<Resolution>;
}

/**
 * Opens a list: a local path, or a URI that is read with the source's own settings. What came inside the source's
 * address (user, password, signed query) and a token for it go to its own host alone (rule 4).
 */
export async function readLocation(
  location: string,
  source: StoreAddress,
  opener: ListOpener,
  context: CallContext,
): Promise<Readable> {
  const { signal } = context;
  const { address, path } = await placeOf(location, source, opener, signal);
  const store = await opener.open(address);
  try {
    const opened = await store.openRead(path, { signal });
    refuseUnproven(opened, location);
    const { body } = opened;
    // What failed by now does not say so again.
    if (body.destroyed) await store.close();
    else body.once('close', () => void store.close());
    return body;
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function placeOf(
  location: string,
  source: StoreAddress,
  opener: ListOpener,
  signal: AbortSignal,
): Promise<{ readonly address: StoreAddress; readonly path: string }> {
  const asked = { ...source, uri: location, secrets: secretsFor(location, source) };
  if (!isAbsolute(location) && opener.isReference(location)) {
    const { uri, settings } = await opener.resolve(asked, { signal });
    return { address: { ...asked, uri, settings: { ...asked.settings, ...settings } }, path: '' };
  }
  if (/^https?:/i.test(location)) return { address: asked, path: '' };
  const slash = location.lastIndexOf('/');
  const written = location.slice(slash + 1);
  const folder = slash === 0 ? '/' : location.slice(0, slash);
  const path = isAbsolute(location) ? written : decodeURI(written);
  return { address: { ...asked, uri: folder }, path };
}

/** A list that was cut would expect less than the caller does. */
function refuseUnproven(opened: OpenObject, location: string): void {
  if (opened.ending !== 'close') return;
  opened.body.destroy();
  throw new WaybillError(
    'WB_UNPROVEN_LENGTH',
    `--expect ${location}: its server does not say how long it is, and a cut list would pass for a whole one`,
    { operation: 'plan', scope: 'source', retryable: false },
  );
}

function secretsFor(location: string, source: StoreAddress): StoreAddress['secrets'] {
  const hostOf = (uri: string): string | undefined =>
    /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.exec(uri)?.[0];
  const isOwnHost = hostOf(location) !== undefined && hostOf(location) === hostOf(source.uri);
  const left = isOwnHost ? ['query'] : ['query', 'username', 'password'];
  // A token that is bound to hosts goes to those; any other is meant for the source.
  if (!isOwnHost && source.settings['WAYBILL_HTTP_TOKEN_HOST'] === undefined) {
    left.push('WAYBILL_HTTP_TOKEN');
  }
  return Object.fromEntries(
    Object.entries(source.secrets).filter(([name]) => !left.includes(name)),
  );
}
