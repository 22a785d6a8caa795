/**
 * The URI that `resolve` makes and `open` takes: `mlrun://host:8080/<project>/<kind>/<key>?iter=..&tree=..&seal=..`. It names
 * one version of one record, and the `seal` what that stands for: whoever opens it finds the same files or says that it changed.
 */
import { WaybillError } from '../../model/errors.js';
import { parseReference } from './reference.js';
import type { Reference } from './reference.js';

/** One record, and how its files travel. */
export interface Location {
  readonly reference: Reference & { readonly project: string };
  /** A digest of what the record says about its files. */
  readonly seal: string;
  /** Schemes whose files come through the API server. */
  readonly proxied: readonly string[];
}

const FIELDS = ['iter', 'tag', 'tree', 'uid'] as const;

/** Writes a location; the server is the one that it was found at. */
export function formatLocation({ reference, seal, proxied }: Location, server: string): string {
  const prefix = reference.kind === 'artifact' ? reference.prefix : reference.kind;
  const path = [reference.project, prefix, reference.key].map(encodeURIComponent).join('/');
  const query = new URLSearchParams();
  for (const field of FIELDS) {
    const value: unknown = Reflect.get(reference, field);
    if (value !== undefined) query.set(field, String(value));
  }
  if (proxied.length > 0) query.set('proxied', proxied.join(' '));
  query.set('seal', seal);
  return `mlrun://${new URL(server).host}/${path}?${query.toString()}`;
}

/** Reads what `formatLocation` wrote; anything else is WB_USAGE. */
export function parseLocation(uri: string): Location {
  const found = /^mlrun:\/\/[^/?#]+\/([^/?#]+)\/([^/?#]+)\/([^/?#]+)\?(.+)$/.exec(uri);
  const query = new URLSearchParams(found?.[4] ?? '');
  const seal = query.get('seal');
  if (found === null || seal === null) {
    throw new WaybillError('WB_USAGE', `${uri} is no source: write store://<project>/<key>`, {
      operation: 'open',
      store: 'mlrun',
    });
  }
  const [project = '', prefix = '', key = ''] = found.slice(1, 4).map(decodeURIComponent);
  const part = (field: string, mark: string): string => {
    const value = query.get(field);
    return value === null ? '' : mark + value;
  };
  const reference = parseReference(
    `store://${prefix}/${project}/${key}${part('iter', '#')}${part('tag', ':')}${part('tree', '@')}${part('uid', '^')}`,
  );
  return {
    reference: { ...reference, project },
    seal,
    proxied: (query.get('proxied') ?? '').split(' ').filter((scheme) => scheme !== ''),
  };
}
