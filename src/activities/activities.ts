/** The activities: each unwraps its input, calls the engine once, and keeps what goes back small (rule 29). */
import { Context } from '@temporalio/activity';
import { capResult, utf8Bytes } from '../model/caps.js';
import type { Failure, PullEnd, PullLimits, PullRequest, PullResult } from '../model/pull.js';
import {
  MAX_ACTIVITY_PAYLOAD_BYTES,
  type Claim,
  type PullRef,
  type ResolvedSource,
  type TransferEngine,
  type UnitLabel,
  type UnitRef,
  type UnitResult,
} from '../transfer/api.js';
import { attempt, type AttemptDeps } from './attempt.js';
import { GivenUp, type Work } from './given-up.js';
import { planPages, type PlannedPages } from './plan-pages.js';

/** What the activities are made of. */
export interface ActivityDeps extends AttemptDeps {
  readonly engine: TransferEngine;
}

/** The answer of a fetch: the engine's, and how often it had to be tried again. */
export type FetchResult = UnitResult & { readonly retries: number };

/** Goes with the input of what is tried while the pull is blocked. */
export interface Probing {
  readonly isProbe?: true;
}

/** The activities of a pull, by the name that Temporal shows. */
export interface Activities {
  resolve(input: { request: PullRequest } & Probing): Promise<ResolvedSource>;
  claim(input: {
    pullId: string;
    runId: string;
    request: PullRequest;
    resolved: ResolvedSource;
  }): Promise<Claim>;
  planPages(input: { ref: PullRef; from: number; count: number } & Probing): Promise<PlannedPages>;
  nameUnits(input: { ref: PullRef; page: number; from: number }): Promise<readonly UnitLabel[]>;
  fetchFile(input: UnitRef & Probing): Promise<FetchResult>;
  fetchPack(input: UnitRef & Probing): Promise<FetchResult>;
  recordFailure(input: UnitRef & { failure: Failure }): Promise<{ readonly files: number }>;
  seal(input: { ref: PullRef }): Promise<PullResult>;
  tune(input: { ref: PullRef; limits: PullLimits }): Promise<void>;
  release(input: { ref: PullRef; end?: PullEnd }): Promise<PullResult | undefined>;
}

function capLabels(labels: readonly UnitLabel[]): readonly UnitLabel[] {
  const capped = labels.slice(0, 16);
  while (capped.length > 1 && utf8Bytes(JSON.stringify(capped)) > MAX_ACTIVITY_PAYLOAD_BYTES) {
    capped.pop();
  }
  return capped;
}

/** What needs nothing of the source. */
function here<T extends { readonly ref: PullRef }>(input: T): T & Pick<Work, 'onlyDestination'> {
  return { ...input, onlyDestination: true };
}

/** The activities around an engine. */
export function createActivities(given: ActivityDeps): Activities {
  const { engine } = given;
  const deps =
    engine.shares === undefined ? given : { givenUp: new GivenUp(engine.shares), ...given };
  const fetch = (input: UnitRef & Probing): Promise<FetchResult> =>
    attempt(
      deps,
      'fetching',
      async (context) => {
        const result = await engine.fetchUnit(input, context);
        return { ...result, retries: Context.current().info.attempt - 1 };
      },
      { ...input, isUnit: true },
    );
  return {
    resolve: (input) =>
      attempt(
        deps,
        'resolving',
        (context) => engine.resolve({ request: input.request }, context),
        input,
      ),
    claim: (input) =>
      attempt(deps, 'resolving', (context) => engine.claim(input, context), {
        request: input.request,
        onlyDestination: true,
      }),
    planPages: (input) =>
      attempt(deps, 'listing', (context) => planPages(engine, input, context), input),
    nameUnits: (input) =>
      attempt(deps, 'listing', async () => capLabels(await engine.nameUnits(input)), input),
    fetchFile: fetch,
    fetchPack: fetch,
    recordFailure: (input) =>
      attempt(deps, 'flushing', () => engine.recordFailure(input), here(input)),
    seal: (input) =>
      attempt(
        deps,
        'sealing',
        async (context) => capResult(await engine.seal(input, context)),
        here(input),
      ),
    tune: (input) => attempt(deps, 'flushing', () => engine.tune(input), here(input)),
    release: (input) =>
      attempt(
        deps,
        'sealing',
        async () => {
          const result = await engine.release(input);
          return result === undefined ? undefined : capResult(result);
        },
        here(input),
      ),
  };
}
