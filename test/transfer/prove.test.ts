import { describe, expect, it } from '@jest/globals';
import { LEVELS, type Level } from '../../src/model/level.js';
import type { Digests } from '../../src/model/object-entry.js';
import type { PullRequest } from '../../src/model/pull.js';
import type { PlanEntry } from '../../src/transfer/plan/page.js';
import { prove, type Arrived } from '../../src/transfer/prove.js';
import { requestOf } from '../helpers/engine.js';

const SHA = 'a'.repeat(64);
const OTHER = 'b'.repeat(64);
const MD5 = 'c'.repeat(32);

type Plan = Partial<PlanEntry>;
type Seen = Partial<Omit<Arrived, 'observed'>> & { observed?: Partial<Arrived['observed']> };

function proveWith(plan: Plan, seen: Seen = {}, request: Partial<PullRequest> = {}) {
  const entry: PlanEntry = { path: 'f', kind: 'file', action: 'fetch', reason: '', ...plan };
  const arrived: Arrived = {
    sizeBytes: 9,
    attempts: 1,
    ...seen,
    digests: { sha256: SHA, md5: MD5, ...seen.digests },
    observed: { ending: 'length', ...seen.observed },
  };
  return prove(entry, arrived, requestOf('file:///s', '/d', request));
}

const expected = (from: NonNullable<PlanEntry['expected']>['from'], sha256 = SHA): Plan => ({
  expected: { sha256, from },
});

/** Ways to reach each level, with where the manifest says that the digest came from. */
const WAYS: readonly [Level, string, Plan, Seen, string?][] = [
  ['none', 'no size, a last chunk', {}, { observed: { ending: 'framing' } }],
  ['size', 'a listed size', { sizeBytes: 9 }, {}],
  ['size', 'a size in the answer', {}, { observed: { sizeBytes: 9 } }],
  ['provider', 'a listed MD5', { digests: { md5: MD5 } }, {}, 'md5 of the store'],
  [
    'provider',
    'an MD5 in the answer',
    {},
    { observed: { digests: { md5: MD5 } } },
    'md5 of the store',
  ],
  [
    'provider',
    'a SHA-256 that the store computed for the answer',
    {},
    { observed: { digests: { sha256: SHA }, areDigestsFresh: true } },
    'sha256 of the store',
  ],
  ['published', 'a SHA-256 of the store', { digests: { sha256: SHA } }, {}, 'sha256 of the store'],
  ['published', 'a seal', expected('seal at the source'), {}, 'seal at the source'],
  [
    'published',
    'a SHA256SUMS',
    expected('SHA256SUMS at the source'),
    {},
    'SHA256SUMS at the source',
  ],
  ['digest', 'the caller', expected('caller'), {}, 'caller'],
  [
    'digest',
    'the caller, where the store has an MD5',
    { ...expected('caller'), digests: { md5: MD5 } },
    {},
    'caller',
  ],
];

const PAIRS = WAYS.flatMap(([level, by, plan, seen, from]) =>
  LEVELS.map((required) => ({ level, by, plan, seen, from, required })),
);

describe('rule 32: each level reached, held against each level required', () => {
  it.each(PAIRS)('$level by $by, with --require $required', (pair) => {
    const attempt = () => proveWith(pair.plan, pair.seen, { requireLevel: pair.required });
    if (LEVELS.indexOf(pair.level) >= LEVELS.indexOf(pair.required)) {
      const { entry } = attempt();
      expect(entry.level).toBe(pair.level);
      expect(entry.expectedFrom).toBe(pair.from);
      expect(entry.comparedDigests.length > 0).toBe(LEVELS.indexOf(pair.level) > 1);
    } else {
      expect(attempt).toThrow(
        expect.objectContaining({ code: 'WB_LEVEL_TOO_LOW', exitCode: 6, retryable: false }),
      );
      expect(attempt).toThrow(new RegExp(`"${pair.level}".*"${pair.required}"`));
    }
  });
});

describe('rule 32: what is known must match, whatever the level asked for', () => {
  it.each<[string, Plan, Seen, string]>([
    ['a listed size', { sizeBytes: 8 }, {}, 'WB_SIZE_MISMATCH'],
    ['a size in the answer', {}, { observed: { sizeBytes: 10 } }, 'WB_SIZE_MISMATCH'],
    [
      'a size although the digest fits',
      { sizeBytes: 8, ...expected('caller') },
      {},
      'WB_SIZE_MISMATCH',
    ],
    ['an MD5 of the store', { digests: { md5: 'd'.repeat(32) } }, {}, 'WB_DIGEST_MISMATCH'],
    ['a SHA-256 of the store', { digests: { sha256: OTHER } }, {}, 'WB_DIGEST_MISMATCH'],
    [
      'an MD5 although the caller’s digest fits',
      { ...expected('caller'), digests: { md5: 'd'.repeat(32) } },
      {},
      'WB_DIGEST_MISMATCH',
    ],
    ['a seal', expected('seal at the source', OTHER), {}, 'WB_DIGEST_MISMATCH'],
    ['the caller’s digest', expected('caller', OTHER), {}, 'WB_DIGEST_MISMATCH'],
    [
      'an answer of another version',
      { pin: { strength: 'strong', value: 'etag:"1"' } },
      { observed: { pin: { strength: 'strong', value: 'etag:"2"' } } },
      'WB_SOURCE_CHANGED',
    ],
    [
      'a digest that the answer says otherwise than the listing',
      { digests: { md5: MD5 } },
      { observed: { digests: { md5: 'd'.repeat(32) } } },
      'WB_SOURCE_CHANGED',
    ],
  ])('%s', (_what, plan, seen, code) => {
    for (const requireLevel of LEVELS) {
      expect(() => proveWith(plan, seen, { requireLevel })).toThrow(
        expect.objectContaining({ code }),
      );
    }
  });

  it('rule 25: a SHA256SUMS at the source that differs warns with both digests, and lifts nothing', () => {
    const { entry, warnings } = proveWith({
      sizeBytes: 9,
      ...expected('SHA256SUMS at the source', OTHER),
    });
    expect(entry).toMatchObject({ level: 'size', comparedDigests: [] });
    expect(warnings.join()).toContain(OTHER);
    expect(warnings.join()).toContain(SHA);
  });

  it('rule 17: both digests stand in the message, and who expected what', () => {
    expect(() => proveWith(expected('caller', OTHER))).toThrow(
      `sha256 ${OTHER} expected (caller), ${SHA} arrived: f`,
    );
  });
});

describe('rule 32: a checksum that cannot be compared never counts as compared', () => {
  it.each<[string, Digests]>([
    ['one that nobody computed', { crc64nvme: '0'.repeat(16) }],
    ['none', {}],
  ])('%s leaves the level at size', (_what, digests) => {
    const { entry } = proveWith({ sizeBytes: 9, digests });
    expect(entry).toMatchObject({ level: 'size', comparedDigests: [] });
    expect(entry.expectedFrom).toBeUndefined();
  });

  it('is still recorded as what the source said', () => {
    const { entry } = proveWith({ sizeBytes: 9, digests: { crc32c: '0'.repeat(8), md5: MD5 } });
    expect(entry.providerDigests).toEqual({ crc32c: '0'.repeat(8), md5: MD5 });
    expect(entry.comparedDigests).toEqual(['md5']);
  });
});

describe('rule 11: an unknown size', () => {
  it('is level none with a warning where the body ends properly', () => {
    const { entry, warnings } = proveWith({}, { observed: { ending: 'framing' } });
    expect(entry.level).toBe('none');
    expect(warnings).toEqual(['f: the source does not say its size']);
  });

  it('that only the closing of the connection ends needs an explicit --require none', () => {
    const close: Seen = { observed: { ending: 'close' } };
    expect(() => proveWith({}, close)).toThrow(
      expect.objectContaining({ code: 'WB_UNPROVEN_LENGTH', exitCode: 6 }),
    );
    expect(proveWith({}, close, { acceptUnprovenLength: true }).entry.level).toBe('none');
  });

  it('is no question where the listing knows the size, however the body ends', () => {
    const close: Seen = { observed: { ending: 'close' } };
    expect(proveWith({ sizeBytes: 9 }, close).entry.level).toBe('size');
  });
});
