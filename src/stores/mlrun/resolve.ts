/** References turned into places: which record is meant, what it stands for, and how its files will travel. */
import { createHash } from 'node:crypto';
import { redactUri } from '../../model/artifact-uri.js';
import type { CallOptions, OtherStores, Resolution, StoreAddress } from '../store.js';
import { mlrunError } from './errors.js';
import { findRecord } from './find.js';
import type { Found } from './find.js';
import { formatLocation } from './location.js';
import { lastOf, membersOf } from './members.js';
import type { Member } from './members.js';
import { splitTarget } from './places.js';
import { ProxiedStore } from './proxied.js';
import { parseReference } from './reference.js';
import type { Reference } from './reference.js';
import { openRest } from './rest.js';
import type { MlrunRest } from './rest.js';
import { wayTo } from './ways.js';

type Signal = AbortSignal | undefined;

/** How the files of a record travel. */
interface Ways {
  readonly reads: readonly string[];
  readonly proxied: readonly string[];
  readonly transport: string;
}

/** Resolves a reference. Throws WB_NOT_FOUND, WB_UNAUTHENTICATED, ...; no byte of an artifact is fetched. */
export async function resolveReference(
  address: StoreAddress,
  { signal }: CallOptions,
  others: OtherStores,
): Promise<Resolution> {
  const asked = parseReference(address.uri);
  const rest = openRest(address);
  try {
    const found = await findRecord(rest, asked, signal);
    const members = membersOf(found);
    const reference = pinned(found);
    const { reads, proxied, transport } = await waysTo(
      rest,
      reference.project,
      members,
      others,
      signal,
    );
    const { server } = rest.config;
    const only = members.length === 1 ? members[0] : undefined;
    return {
      uri: formatLocation({ reference, seal: sealOf(members), proxied }, server),
      reads,
      settings: { MLRUN_DBPATH: server },
      transport,
      ...(only?.path === '' && only.target !== '' ? { fileName: lastOf(only.target) } : {}),
      ...revisionOf(found),
      facts: factsOf(found, members),
    };
  } finally {
    await rest.client.close();
  }
}

/** The same record, named by what does not move where the server has that. */
export function pinned({
  reference,
  record,
  api,
}: Found): Reference & { readonly project: string } {
  if (reference.kind !== 'artifact') return reference;
  const { tree, uid, iter } = record.metadata;
  const { tag: _, ...rest } = reference;
  const own = { ...rest, iter: iter ?? reference.iter ?? 0 };
  if (api === 'v2' && uid !== undefined)
    return { ...own, uid, ...(tree === undefined ? {} : { tree }) };
  // An older server was asked for this tree by its tag, and finds it by that name too.
  if (tree !== undefined && tree !== '') return { ...own, tree };
  return reference;
}

/** What a record says about its files: another seal, another version. */
export function sealOf(members: readonly Member[]): string {
  return createHash('sha256').update(JSON.stringify(members)).digest('hex').slice(0, 16);
}

/** The way of each place; where nothing is set to sign in with, the server is asked whether it passes the files on. */
async function waysTo(
  rest: MlrunRest,
  project: string,
  members: readonly Member[],
  others: OtherStores,
  signal: Signal,
): Promise<Ways> {
  const reads = new Set<string>();
  const proxied = new Set<string>();
  const reasons = new Set<string>();
  for (const member of members) {
    if (member.inline !== undefined) {
      reasons.add('inline (it stands in the record)');
      continue;
    }
    const { place } = splitTarget(member);
    const way = await wayTo(place, rest.config, others);
    const isPassedOn =
      way.via === 'undecided' && !proxied.has(way.scheme)
        ? await passesOn(rest, project, member.target, signal)
        : way.via !== 'direct';
    if (way.via === 'direct' || !isPassedOn) {
      if (way.via === 'proxied') continue;
      reads.add(way.uri);
      const why =
        way.via === 'direct'
          ? way.why
          : 'the server does not pass it on, and no credentials are set';
      reasons.add(`direct (${why})`);
    } else {
      proxied.add(way.scheme);
      const why = way.via === 'proxied' ? way.why : `no credentials for ${way.scheme}: are set`;
      reasons.add(`proxied (${why})`);
    }
  }
  return { reads: [...reads], proxied: [...proxied], transport: [...reasons].join('; ') };
}

async function passesOn(
  rest: MlrunRest,
  project: string,
  target: string,
  signal: Signal,
): Promise<boolean> {
  const probe = new ProxiedStore(rest, project, target.replace(/\/+$/, ''));
  try {
    await probe.stat('', signal === undefined ? {} : { signal });
    return true;
  } catch (error) {
    signal?.throwIfAborted();
    const code: unknown = (error as { code?: unknown }).code;
    // A folder has no size: that it was looked for says that it may be.
    return code === 'WB_NOT_FOUND';
  }
}

function revisionOf({ record }: Found): { revision?: string } {
  const { uid, tree, hash } = record.metadata;
  const revision = uid ?? tree ?? hash;
  return revision ? { revision } : {};
}

function factsOf(
  { reference, record, link, api }: Found,
  members: readonly Member[],
): Readonly<Record<string, string>> {
  const { metadata, spec, kind } = record;
  const facts: Record<string, string | number | undefined> = {
    project: reference.project,
    key: reference.key,
    kind: kind === '' ? 'artifact' : kind,
    iter: metadata.iter,
    tag: metadata.tag,
    tree: metadata.tree,
    uid: metadata.uid,
    updated: metadata.updated,
    artifactUri: redactUri(spec.target_path ?? members[0]?.target ?? ''),
    linkedFrom: link === undefined ? undefined : `${reference.key}#0`,
    api,
  };
  const said = Object.entries(facts).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [[name, String(value).slice(0, 300)] as const],
  );
  return Object.fromEntries(said);
}

/** What goes into `source.json`. */
export function noteOf({ record, link, api }: Found, server: string, asked: string): string {
  const note = {
    v: 1,
    registry: 'mlrun',
    server,
    api,
    asked,
    record: record.said,
    ...(link === undefined ? {} : { link: link.said }),
  };
  return `${JSON.stringify(note, undefined, 2)}\n`;
}

/** Refuses what is not what was resolved. */
export function checkSeal(members: readonly Member[], seal: string, uri: string): void {
  if (sealOf(members) === seal) return;
  throw mlrunError(
    'WB_SOURCE_CHANGED',
    `${uri} was logged again since the pull began: its record names other files, sizes or hashes now`,
    { operation: 'open', scope: 'source', retryable: false },
  );
}
