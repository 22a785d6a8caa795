/** How well a fetched file is proven (design 4), or why it is refused. Nothing is compared by half (rule 32). */
import type { ManifestEntry } from '../manifest/index.js';
import { WaybillError } from '../model/errors.js';
import { reaches, type Level } from '../model/level.js';
import { samePin, type DigestName, type Digests } from '../model/object-entry.js';
import type { PullRequest } from '../model/pull.js';
import type { PlanEntry } from './plan/page.js';
import type { Observed } from './thread/tasks.js';

/** A file as it lies in its partial. */
export interface Arrived {
  readonly sizeBytes: number;
  readonly digests: Digests & { readonly sha256: string };
  readonly observed: Observed;
  readonly attempts: number;
}

/** What was asked for. */
export type Requirement = Pick<PullRequest, 'requireLevel' | 'acceptUnprovenLength'>;

/** A file that may be published, with what the receipt should warn of. */
export interface Proven {
  readonly entry: ManifestEntry;
  readonly warnings: readonly string[];
}

/**
 * Compares a file with all that is known of it. Throws WB_SIZE_MISMATCH, WB_DIGEST_MISMATCH, WB_VERSION_OVERWRITTEN,
 * WB_SOURCE_CHANGED, WB_UNPROVEN_LENGTH, WB_LEVEL_TOO_LOW.
 */
export function prove(plan: PlanEntry, arrived: Arrived, request: Requirement): Proven {
  const { observed } = arrived;
  const warnings: string[] = [];
  const knownSize = plan.sizeBytes ?? observed.sizeBytes;
  if (knownSize !== undefined && knownSize !== arrived.sizeBytes) {
    throw refuse(
      'WB_SIZE_MISMATCH',
      plan,
      `should have ${knownSize} bytes, ${arrived.sizeBytes} arrived`,
    );
  }
  if (plan.pin !== undefined && observed.pin !== undefined && !samePin(plan.pin, observed.pin)) {
    throw refuse('WB_SOURCE_CHANGED', plan, 'changed at the source since it was listed');
  }
  if (knownSize === undefined) {
    if (observed.ending === 'close' && !request.acceptUnprovenLength) {
      const why =
        'ends where the connection was closed, which a cut looks like too; --require none accepts that';
      throw refuse('WB_UNPROVEN_LENGTH', plan, why);
    }
    warnings.push(`${plan.path}: the source does not say its size`);
  }

  const provider = mergeDigests(plan, observed);
  const recorded = observed.recordedDigests ?? [];
  const compared = compareProvider(plan, provider, arrived.digests, recorded);
  let level: Level = knownSize === undefined ? 'none' : 'size';
  let expectedFrom: string | undefined;
  if (compared.length > 0) {
    const isPublished = compared.includes('sha256') && observed.areDigestsFresh !== true;
    level = isPublished ? 'published' : 'provider';
    const isRecorded = compared.some((name) => recorded.includes(name));
    expectedFrom = `${compared.join(', ')} of the ${isRecorded ? 'registry' : 'store'}`;
  }
  if (plan.expected !== undefined) {
    if (plan.expected.sha256 === arrived.digests.sha256) {
      level = plan.expected.from === 'caller' ? 'digest' : 'published';
      expectedFrom = plan.expected.from;
      if (!compared.includes('sha256')) compared.push('sha256');
    } else if (plan.expected.from === 'SHA256SUMS at the source') {
      warnings.push(
        `${plan.path}: the SHA256SUMS at the source says ${plan.expected.sha256}, the file has ${arrived.digests.sha256}`,
      );
    } else {
      throw digestMismatch(
        plan,
        'sha256',
        plan.expected.sha256,
        arrived.digests.sha256,
        plan.expected.from,
      );
    }
  }
  if (!reaches(level, request.requireLevel)) {
    const why = `is proven to level "${level}" only, and --require asks for "${request.requireLevel}"`;
    throw refuse('WB_LEVEL_TOO_LOW', plan, why);
  }
  const pin = plan.pin ?? observed.pin;
  const modifiedAt = observed.modifiedAt ?? plan.modifiedAt;
  return {
    warnings,
    entry: {
      path: plan.path,
      sizeBytes: arrived.sizeBytes,
      sha256: arrived.digests.sha256,
      level,
      comparedDigests: compared,
      attempts: arrived.attempts,
      ...(pin === undefined ? {} : { pin }),
      ...(modifiedAt === undefined ? {} : { modifiedAt }),
      ...(plan.isExecutable === undefined ? {} : { isExecutable: plan.isExecutable }),
      ...(expectedFrom === undefined ? {} : { expectedFrom }),
      ...(Object.keys(provider).length === 0 ? {} : { providerDigests: provider }),
    },
  };
}

function refuse(
  code: 'WB_SIZE_MISMATCH' | 'WB_SOURCE_CHANGED' | 'WB_UNPROVEN_LENGTH' | 'WB_LEVEL_TOO_LOW',
  plan: PlanEntry,
  why: string,
): WaybillError {
  return new WaybillError(code, `${plan.path} ${why}`, { operation: 'verify', path: plan.path });
}

/** Both digests, whatever comes of them: rule 17. */
function digestMismatch(
  plan: PlanEntry,
  name: DigestName,
  expected: string,
  actual: string,
  from: string,
): WaybillError {
  return new WaybillError(
    'WB_DIGEST_MISMATCH',
    // Results cut messages: both digests come before the name, which they also have on its own.
    `${name} ${expected} expected (${from}), ${actual} arrived: ${plan.path}`,
    { operation: 'verify', path: plan.path },
  );
}

/** What the registry wrote down of this version is not what lies at its place. */
function overwritten(
  plan: PlanEntry,
  name: DigestName,
  expected: string,
  actual: string,
): WaybillError {
  return new WaybillError(
    'WB_VERSION_OVERWRITTEN',
    `version overwritten in the store: ${name} ${expected} was recorded for it, ${actual} is there: ${plan.path}`,
    { operation: 'verify', path: plan.path },
  );
}

/** What the listing and the answer say together. Two values for one digest mean two versions. */
function mergeDigests(plan: PlanEntry, observed: Observed): Digests {
  const merged: Digests = { ...(plan.digests as Digests | undefined) };
  for (const [name, value] of Object.entries(observed.digests ?? {}) as [DigestName, string][]) {
    const listed = merged[name];
    if (listed !== undefined && listed !== value) {
      throw refuse(
        'WB_SOURCE_CHANGED',
        plan,
        `had ${name} ${listed} when it was listed and has ${value} now`,
      );
    }
    merged[name] = value;
  }
  return merged;
}

/** Compares every digest that was computed; answers the names of those that were really compared. */
function compareProvider(
  plan: PlanEntry,
  provider: Digests,
  computed: Digests,
  recorded: readonly DigestName[],
): DigestName[] {
  const compared: DigestName[] = [];
  for (const [name, expected] of Object.entries(provider) as [DigestName, string][]) {
    const actual = computed[name];
    if (actual === undefined) continue;
    if (actual !== expected && recorded.includes(name)) {
      throw overwritten(plan, name, expected, actual);
    }
    if (actual !== expected) throw digestMismatch(plan, name, expected, actual, 'the store');
    compared.push(name);
  }
  return compared.sort();
}
