/** Puts the parts of an http source together. */
import { redactUri } from '../../model/artifact-uri.js';
import { createHttpClient } from '../lib/http-client.js';
import type { StoreAddress } from '../store.js';
import type { HttpAddress } from './address.js';
import { credentialHeaders } from './credentials.js';
import { IndexTree } from './index-tree.js';
import { ListTree } from './list-tree.js';
import type { HttpSource } from './requests.js';
import { HttpStore, MAX_CONNECTIONS } from './store.js';
import type { HttpTree } from './tree.js';

/** Makes the store; a wrong setting is WB_CONFIG_INVALID, no request is made. */
export function openHttp(address: StoreAddress, parsed: HttpAddress): HttpStore {
  const { settings, secrets, pace } = address;
  const source: HttpSource = {
    client: createHttpClient({
      store: 'http',
      settings,
      secrets,
      maxConnections: MAX_CONNECTIONS,
      identityOrigins: [parsed.url.origin],
      pace,
    }),
    headers: credentialHeaders(address, parsed.url),
    isPresigned: secrets['query'] !== undefined,
  };
  return new HttpStore(redactUri(address.uri), source, parsed, treeOf(source, parsed));
}

function treeOf(source: HttpSource, parsed: HttpAddress): HttpTree | undefined {
  if (parsed.kind === 'index') return new IndexTree(source, parsed.folder);
  if (parsed.kind === 'list') return new ListTree(source, parsed);
  return undefined;
}
