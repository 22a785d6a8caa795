/** Holds the worker of `--here` to the one pull of its command: on a cluster anybody may put work into any queue (rule 4). */
import { basename, dirname, join } from 'node:path';
import { recordFolderBeside } from './manifest/receipt.js';
import { workFingerprint } from './client/identity.js';
import type { PullRequest } from './model/pull.js';
import type { ConnectionSecrets } from './stores/store.js';
import type { ResolvedSource, TransferEngine } from './transfer/api.js';
import { checkPrefixes, outOfReach, type Reach } from './transfer/reach.js';

/** What limits an engine to one pull. */
export interface OnlyThisPull {
  readonly reach: Reach;
  /** An engine that claims the destination only for what it has resolved itself. */
  guard(engine: TransferEngine): TransferEngine;
}

/** The limits of a request: its source with these secrets, its destination, and nothing else. */
export function onlyThisPull(own: PullRequest, secrets: ConnectionSecrets): OnlyThisPull {
  const fingerprint = workFingerprint(own);
  const check = (request: PullRequest): void => {
    if (workFingerprint(request) === fingerprint) return;
    throw outOfReach(
      'a command with --here serves its own pull alone; use a worker of the cluster',
    );
  };
  const reach: Reach = {
    // Its refusals are rejections, whatever finds them.
    connect: async (request, resolved) => {
      await Promise.resolve();
      check(request);
      return { settings: resolved ?? request.source.settings, secrets };
    },
    checkSource: (asked, uri, settings) => Promise.resolve(checkPrefixes(asked, uri, settings)),
    checkDestination: (path) => {
      if (isOwnPlace(own, path)) return Promise.resolve();
      return Promise.reject(
        outOfReach(`a command with --here writes to its own destination alone`),
      );
    },
  };
  return { reach, guard: (engine) => claimsOwnFindings(engine, check) };
}

/** The folder of the files, or of the record: of a tree, of a single file, of a file inside a folder. */
function isOwnPlace({ destination: { path, isFolder } }: PullRequest, place: string): boolean {
  const beside = join(dirname(path), recordFolderBeside(basename(path)));
  if ([path, dirname(path), join(path, '.waybill'), beside].includes(place)) return true;
  return isFolder && dirname(place) === path && /^\..+\.waybill$/u.test(basename(place));
}

/**
 * Where a reference leads decides to whom the secrets go, and comes back through Temporal: what was not found out here is
 * found out again, and has to be the same.
 */
function claimsOwnFindings(
  engine: TransferEngine,
  check: (request: PullRequest) => void,
): TransferEngine {
  const found = new Set<string>();
  const textOf = (resolved: ResolvedSource): string =>
    JSON.stringify(Object.entries(resolved).sort(([a], [b]) => (a < b ? -1 : 1)));
  const resolve: TransferEngine['resolve'] = async (input, context) => {
    const resolved = await engine.resolve(input, context);
    found.add(textOf(resolved));
    return resolved;
  };
  return {
    resolve,
    claim: async (input, context) => {
      check(input.request);
      if (!found.has(textOf(input.resolved))) await resolve({ request: input.request }, context);
      if (!found.has(textOf(input.resolved))) {
        throw outOfReach('the source leads elsewhere than this command has found; give it again');
      }
      return engine.claim(input, context);
    },
    planPage: (input, context) => engine.planPage(input, context),
    nameUnits: (input) => engine.nameUnits(input),
    fetchUnit: (input, context) => engine.fetchUnit(input, context),
    recordFailure: (input) => engine.recordFailure(input),
    seal: (input, context) => engine.seal(input, context),
    tune: (input) => engine.tune(input),
    release: (input) => engine.release(input),
    close: () => engine.close(),
  };
}
