/** Places that a connection lists as what it reads. */
import { coversUri } from '../../model/artifact-uri.js';
import type { ConnectionSettings } from '../store.js';

/** Whether the `prefixes` of a connection name this place. Without any, none is named: a record may lead to every host (rule 4). */
export function isListed(uri: string, settings: ConnectionSettings): boolean {
  const prefixes = (settings['WAYBILL_PREFIXES'] ?? '').split(/\s+/).filter((one) => one !== '');
  return prefixes.some((prefix) => coversUri(prefix, uri));
}
