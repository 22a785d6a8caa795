/** The worker of `--here` at work that no command of this host has asked for (rule 4). */
import { describe, expect, it } from '@jest/globals';
import { onlyThisPull } from '../src/here-engine.js';
import type { PullRequest } from '../src/model/pull.js';
import type { Claim, ResolvedSource, TransferEngine } from '../src/transfer/api.js';
import { contextOf } from './helpers/engine.js';
import { newRequest } from './workflows/lib/bench.js';
import { StandInEngine } from './workflows/lib/stand-in-engine.js';

const own = newRequest({
  source: { uri: 'models:/churn/1', settings: { MLFLOW_TRACKING_URI: 'https://mlflow' } },
  destination: { path: '/data/churn', isFolder: false },
});
const SECRETS = { MLFLOW_TRACKING_TOKEN: 'token' };
const REFUSED = { code: 'WB_PERMISSION_DENIED', retryable: false };

function guarded(): { engine: TransferEngine; inside: StandInEngine } {
  // Only what is scripted is counted.
  const well = (): Promise<void> => Promise.resolve();
  const inside = new StandInEngine({ pages: [1], resolve: well, claim: well });
  return { engine: onlyThisPull(own, SECRETS).guard(inside), inside };
}

const claim = (
  engine: TransferEngine,
  resolved: ResolvedSource,
  request: PullRequest = own,
): Promise<Claim> => engine.claim({ pullId: 'p', runId: 'r', request, resolved }, contextOf());

describe('rule 4: a command with --here', () => {
  it('gives its secrets to its own request alone, at whatever pace that is asked for', async () => {
    const { reach } = onlyThisPull(own, SECRETS);
    expect(await reach.connect({ ...own, concurrency: 3 })).toEqual({
      settings: own.source.settings,
      secrets: SECRETS,
    });
    const elsewhere = { ...own.source, settings: { MLFLOW_TRACKING_URI: 'https://other' } };
    for (const change of [{ source: elsewhere }, { prune: true }, { maxFiles: 1 }]) {
      await expect(reach.connect({ ...own, ...change })).rejects.toMatchObject(REFUSED);
    }
  });

  it('claims its destination for what it has found itself, also when it was started again', async () => {
    const first = guarded();
    const found = await first.engine.resolve({ request: own }, contextOf());
    await claim(first.engine, found);
    expect(first.inside.callsOf('resolve')).toBe(1);
    const second = guarded();
    await claim(second.engine, found);
    expect([second.inside.callsOf('resolve'), second.inside.callsOf('claim')]).toEqual([1, 1]);
  });

  it.each([
    ['another place', { uri: 'https://attacker/x' }],
    ['another server', { settings: { MLFLOW_TRACKING_URI: 'https://attacker' } }],
    ['other facts', { facts: { signer: 'attacker' } }],
  ])('claims it for nothing else that comes through Temporal: %s', async (_what, change) => {
    const { engine, inside } = guarded();
    const found = await engine.resolve({ request: own }, contextOf());
    await expect(claim(engine, { ...found, ...change })).rejects.toMatchObject(REFUSED);
    const other = { ...own, prune: true };
    await expect(claim(engine, found, other)).rejects.toMatchObject(REFUSED);
    expect(inside.callsOf('claim')).toBe(0);
  });

  it('touches no other place', async () => {
    const { reach } = onlyThisPull(own, SECRETS);
    for (const place of ['/data/churn', '/data/churn/.waybill', '/data/.churn.waybill']) {
      await reach.checkDestination(place);
    }
    const others = ['/', '/data/other', '/data/churn/sub', '/data/.other.waybill'];
    for (const place of [...others, '/data/churn/../other']) {
      await expect(reach.checkDestination(place)).rejects.toMatchObject(REFUSED);
    }
    const folder = { ...own, destination: { path: '/data', isFolder: true } };
    const inside = onlyThisPull(folder, {}).reach;
    await inside.checkDestination('/data/.churn.waybill');
    for (const place of ['/data/.x.waybill/..', '/data/sub/.x.waybill', '/data/x']) {
      await expect(inside.checkDestination(place)).rejects.toMatchObject(REFUSED);
    }
  });
});
