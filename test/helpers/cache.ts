import { homedir } from 'node:os';
import { join } from 'node:path';

/** Waybill's cache folder, where the tools of the tests lie too: WAYBILL_CACHE_DIR or the default. */
export function cacheFolder(): string {
  const own = process.env['WAYBILL_CACHE_DIR'];
  if (own !== undefined && own !== '') return own;
  const base = process.env['XDG_CACHE_HOME'];
  return join(base !== undefined && base !== '' ? base : join(homedir(), '.cache'), 'waybill');
}
