import { describe, expect, it } from '@jest/globals';
import {
  pullIdInside,
  pullIdOf,
  requestFingerprint,
  workFingerprint,
} from '../../src/client/identity.js';
import { newRequest } from '../workflows/lib/bench.js';

describe('the id of a pull', () => {
  it('starts with the name of the destination and is the same for the same place', () => {
    const place = { site: '', path: '/data/Churn Model' };
    expect(pullIdOf(place)).toMatch(/^churn-model-[0-9a-f]{10}$/);
    expect(pullIdOf(place)).toBe(pullIdOf({ ...place }));
    expect(pullIdOf({ ...place, site: 'gpu' })).not.toBe(pullIdOf(place));
    expect(pullIdOf({ site: '', path: '/other/Churn Model' })).not.toBe(pullIdOf(place));
    expect(pullIdOf({ site: '', path: '/数据' })).toMatch(/^pull-[0-9a-f]{10}$/);
  });

  it('counts the source where a single file may go into a folder', () => {
    const place = { site: '', path: '/data' };
    const ids = ['s3://b/one', 's3://b/two'].map((uri) => pullIdInside(place, uri));
    expect(new Set([...ids, pullIdOf(place)]).size).toBe(3);
  });
});

describe('the fingerprint of a request', () => {
  it('does not depend on the order of keys, nor on whether the folder exists yet', () => {
    const request = newRequest({ source: { uri: 'a', settings: { A: '1', B: '2' } } });
    const same = {
      ...request,
      source: { settings: { B: '2', A: '1' }, uri: 'a' },
      destination: { ...request.destination, isFolder: true },
    };
    expect(requestFingerprint(same)).toBe(requestFingerprint(request));
  });

  it('rule 2: two tracking servers, or two credentials, are two requests', () => {
    const request = newRequest();
    const others = [
      { ...request, source: { ...request.source, settings: { MLFLOW_TRACKING_URI: 'x' } } },
      { ...request, source: { ...request.source, credentials: 'f' } },
      { ...request, checksum: true },
    ];
    const prints = [request, ...others].map(requestFingerprint);
    expect(new Set(prints).size).toBe(4);
  });
});

describe('the fingerprint of the work', () => {
  it('is the same at every pace, and differs with what is brought and how long it may take', () => {
    const request = newRequest({ source: { uri: 'https://host/x', settings: { A: '1' } } });
    const paces = [
      { ...request, concurrency: 3 },
      { ...request, maxBytesPerSecond: 1, maxRequestsPerSecond: 2 },
      {
        ...request,
        giveUpAfterMs: 1_000,
        source: { ...request.source, settings: { A: '1', WAYBILL_STALL_TIMEOUT: '1000ms' } },
      },
    ];
    expect(new Set([request, ...paces].map(workFingerprint)).size).toBe(1);
    const others = [{ ...request, timeoutMs: 1 }, { ...request, maxFiles: 1 }, newRequest()];
    expect(new Set([request, ...others].map(workFingerprint)).size).toBe(4);
  });
});
