/** Who asks: the headers of an http source's requests. */
import { percentDecodeOnce } from '../lib/byte-names.js';
import type { Headers } from '../lib/exchange.js';
import type { StoreAddress } from '../store.js';

/**
 * Basic from the address's own user and password, else Bearer from WAYBILL_HTTP_TOKEN. Where WAYBILL_HTTP_TOKEN_HOST names
 * hosts (`a.example, b.example:8443`), the token goes to those alone.
 */
export function credentialHeaders({ settings, secrets }: StoreAddress, url: URL): Headers {
  const { username, password, WAYBILL_HTTP_TOKEN: token } = secrets;
  if (username !== undefined || password !== undefined) {
    const pair = `${percentDecodeOnce(username ?? '')}:${percentDecodeOnce(password ?? '')}`;
    return { authorization: `Basic ${Buffer.from(pair, 'utf8').toString('base64')}` };
  }
  if (token === undefined || token === '') return {};
  const hosts = (settings['WAYBILL_HTTP_TOKEN_HOST'] ?? '').toLowerCase().split(/[,\s]+/);
  const isMeant =
    hosts.every((host) => host === '') || hosts.includes(url.host) || hosts.includes(url.hostname);
  return isMeant ? { authorization: `Bearer ${token}` } : {};
}
