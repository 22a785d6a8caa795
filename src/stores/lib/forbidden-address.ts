/** Addresses that no source may name: link-local ranges and the metadata services of clouds (rule 4). */
import { lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { WaybillError } from '../../model/errors.js';

const FORBIDDEN = new BlockList();
FORBIDDEN.addSubnet('169.254.0.0', 16, 'ipv4');
FORBIDDEN.addSubnet('fe80::', 10, 'ipv6');
// Metadata services outside the link-local ranges: AWS over IPv6, Alibaba Cloud, Azure's wire server.
FORBIDDEN.addAddress('fd00:ec2::254', 'ipv6');
FORBIDDEN.addAddress('100.100.100.200', 'ipv4');
FORBIDDEN.addAddress('168.63.129.16', 'ipv4');

/** Whether an IP address is one that Waybill never connects to. IPv4 inside IPv6 counts as IPv4. */
export function isForbiddenAddress(address: string): boolean {
  const version = isIP(address);
  return version !== 0 && FORBIDDEN.check(address, version === 6 ? 'ipv6' : 'ipv4');
}

/** Throws WB_PERMISSION_DENIED if a URL names such an address literally. */
export function refuseForbiddenUrl(url: URL): void {
  if (isForbiddenAddress(url.hostname.replace(/^\[|\]$/g, ''))) throw refusal(url.hostname);
}

/** `dns.lookup` that fails for a name that leads to such an address, whoever controls the name. */
export const guardedLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, options, (error, address, family) => {
    const found =
      typeof address === 'string' ? [address] : (address ?? []).map((one) => one.address);
    if (!error && found.some(isForbiddenAddress)) {
      callback(refusal(hostname), address, family);
      return;
    }
    callback(error, address, family);
  });
};

function refusal(host: string): WaybillError {
  return new WaybillError(
    'WB_PERMISSION_DENIED',
    `${host} is a link-local or metadata address, which Waybill never reads`,
    { operation: 'connect', scope: 'source' },
  );
}
