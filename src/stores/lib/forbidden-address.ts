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

// The same through the gateways that carry IPv4 inside IPv6: NAT64, 6to4, and the old compatible form.
for (const prefix of ['64:ff9b::', '::']) {
  FORBIDDEN.addSubnet(`${prefix}a9fe:0`, 112, 'ipv6');
  FORBIDDEN.addAddress(`${prefix}6464:64c8`, 'ipv6');
  FORBIDDEN.addAddress(`${prefix}a83f:8110`, 'ipv6');
}
FORBIDDEN.addSubnet('2002:a9fe::', 32, 'ipv6');
FORBIDDEN.addSubnet('2002:6464:64c8::', 48, 'ipv6');
FORBIDDEN.addSubnet('2002:a83f:8110::', 48, 'ipv6');

/** Whether an IP address is one that Waybill never connects to. IPv4 inside IPv6 counts as IPv4. */
export function isForbiddenAddress(address: string): boolean {
  const version = isIP(address);
  return version !== 0 && FORBIDDEN.check(address, version === 6 ? 'ipv6' : 'ipv4');
}

/** Throws WB_PERMISSION_DENIED if a URL's origin is none of those that a connection may reach; none listed: any. */
export function refuseUnlistedOrigin(url: URL, origins: readonly string[]): void {
  if (origins.length === 0 || origins.includes(url.origin)) return;
  throw new WaybillError(
    'WB_PERMISSION_DENIED',
    `${url.origin} is none of the origins that the connection may reach: ${origins.join(' ')}`,
    {
      operation: 'connect',
      scope: 'source',
      retryable: false,
      advice: 'Add it to `origins` of that connection if it belongs there.',
    },
  );
}

/** The origins in a setting, separated by blanks. One that is none is WB_CONFIG_INVALID. */
export function parseOrigins(text: string | undefined): string[] {
  const words = (text ?? '').split(/\s+/).filter((word) => word !== '');
  return words.map((word) => {
    if (/^https?:\/\//i.test(word) && URL.canParse(word)) return new URL(word).origin;
    throw new WaybillError(
      'WB_CONFIG_INVALID',
      `origins: ${word} is none; write https://host:port`,
    );
  });
}

/** Throws WB_PERMISSION_DENIED if a host is such an address, written with or without the brackets of IPv6. */
export function refuseForbiddenHost(host: string): void {
  if (isForbiddenAddress(host.replace(/^\[|\]$/g, ''))) throw refusal(host);
}

/** Throws WB_PERMISSION_DENIED if a URL names such an address literally. */
export function refuseForbiddenUrl(url: URL): void {
  refuseForbiddenHost(url.hostname);
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
    {
      operation: 'connect',
      scope: 'source',
      advice: 'No setting allows it. Name the source by another address.',
    },
  );
}
