/** Where a bucket is: endpoint, region and addressing style, from the settings, the profile and the answers. */
import { isIP } from 'node:net';
import { encodeKey, encodeStrictly } from '../lib/object-keys.js';
import { checkEndpoint, isRegion } from './config.js';
import type { S3Config } from './config.js';
import { readProfileSections } from './profile-files.js';

/** Where requests for one bucket go. */
export interface Place {
  readonly region: string;
  /** Absent: AWS itself, whose host follows from the region. */
  readonly endpoint?: URL;
  readonly isPathStyle: boolean;
}

/** What the settings leave open when nothing says otherwise; AWS answers there for every bucket, naming its region. */
const DEFAULT_REGION = 'us-east-1';

/** The place as the settings, and where they are silent the profile's files, have it. */
export async function findPlace(config: S3Config): Promise<Place> {
  // With an endpoint of its own the address is complete: other people's AWS profile has no say in it.
  const needsProfile =
    config.endpoint === undefined || (config.region === undefined && hasProfile(config));
  const profile = needsProfile ? await readProfile(config) : {};
  const endpoint = config.endpoint ?? profile.endpoint;
  const url = endpoint === undefined ? undefined : checkEndpoint(endpoint, 'endpoint_url');
  return {
    region: config.region ?? profile.region ?? DEFAULT_REGION,
    ...(url === undefined ? {} : { endpoint: url }),
    isPathStyle: isPathStyle(config, url),
  };
}

/** The same place in another region. */
export function inRegion(place: Place, region: string): Place {
  return { ...place, region };
}

/** The address of a key, or of the bucket for ''. Keys and parameters are encoded as the signature wants them. */
export function urlOf(
  place: Place,
  bucket: string,
  key: string,
  query: Readonly<Record<string, string>>,
): URL {
  const endpoint =
    place.endpoint ?? new URL(`https://s3.${place.region}.${awsDomain(place.region)}`);
  const host = place.isPathStyle ? endpoint.host : `${bucket}.${endpoint.host}`;
  const base = endpoint.pathname.replace(/\/$/, '') + (place.isPathStyle ? `/${bucket}` : '');
  const search = Object.entries(query)
    .map(([name, value]) => `${encodeStrictly(name)}=${encodeStrictly(value)}`)
    .join('&');
  return new URL(
    `${endpoint.protocol}//${host}${base}/${encodeKey(key, 's3')}${search === '' ? '' : `?${search}`}`,
  );
}

function awsDomain(region: string): string {
  return region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
}

function isPathStyle({ addressing, bucket }: S3Config, endpoint: URL | undefined): boolean {
  // There is no name before an address.
  if (endpoint && isIP(endpoint.hostname.replace(/^\[|\]$/g, '')) !== 0) return true;
  if (addressing !== 'auto') return addressing === 'path';
  // AWS's wildcard certificate covers no dot, and upper case is none in a host name.
  return endpoint !== undefined || bucket.includes('.') || bucket !== bucket.toLowerCase();
}

function hasProfile({ profile }: S3Config): boolean {
  return profile.profile !== undefined || profile.configFile !== undefined;
}

interface ProfilePlace {
  region?: string;
  endpoint?: string;
}

/** Region and endpoint in ~/.aws/config, as the AWS tools read it: `services` and `endpoint_url` too. */
async function readProfile(config: S3Config): Promise<ProfilePlace> {
  const { profile, services } = await readProfileSections(config.profile);
  const endpoint = services['s3.endpoint_url'] ?? profile['endpoint_url'];
  const { region } = profile;
  return {
    ...(region !== undefined && isRegion(region) ? { region } : {}),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}
