/** What makes two pulls the same one: the workflow's id from the destination, the fingerprint from the request. */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { PullRequest } from '../model/pull.js';

/** How long a silent server is waited for: it follows from `giveUpAfterMs`. */
const PATIENCE = 'WAYBILL_STALL_TIMEOUT';

/** What `tune` can change. */
const PACES = [
  'concurrency',
  'maxBytesPerSecond',
  'maxRequestsPerSecond',
  'giveUpAfterMs',
] as const satisfies readonly (keyof PullRequest)[];

function slugOf(path: string): string {
  const slug = basename(path)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 24);
  return slug === '' ? 'pull' : slug;
}

function hexOf(text: string, digits: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, digits);
}

/** Where a destination is: `site` is empty for the local service. */
export interface Place {
  readonly site: string;
  /** Absolute and real. */
  readonly path: string;
}

/** The workflow id of a pull that owns the whole destination: the folder, or the file of that name. */
export function pullIdOf(place: Place): string {
  return `${slugOf(place.path)}-${hexOf(`${place.site}\n${place.path}`, 10)}`;
}

/**
 * The workflow id of a pull into an existing folder. Its source may be a single file, of which several can go into
 * one folder at once, so the source counts too; two trees into one folder are told apart by the owner file.
 */
export function pullIdInside(place: Place, sourceUri: string): string {
  return `${slugOf(place.path)}-${hexOf(`${place.site}\n${place.path}\n${sourceUri}`, 10)}`;
}

/** JSON with the keys of every object in order and without undefined fields, so that equal values have equal text. */
function stableText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stableText).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, field]) => `${JSON.stringify(key)}:${stableText(field)}`);
  return `{${fields.join(',')}}`;
}

/**
 * Equal for two requests that ask for the same. `isFolder` does not count: the first pull creates the folder that
 * the second finds.
 */
export function requestFingerprint(request: PullRequest): string {
  const { destination, ...rest } = request;
  return hexOf(stableText({ ...rest, destination: destination.path }), 32);
}

/**
 * Equal for two requests that ask for the same at another pace: what `tune` can change does not count, nor what follows
 * from it.
 */
export function workFingerprint(request: PullRequest): string {
  const work: Record<string, unknown> = { ...request };
  for (const pace of PACES) Reflect.deleteProperty(work, pace);
  const settings: Record<string, unknown> = { ...request.source.settings };
  Reflect.deleteProperty(settings, PATIENCE);
  const source = { ...request.source, settings };
  return hexOf(stableText({ ...work, source, destination: request.destination.path }), 32);
}
