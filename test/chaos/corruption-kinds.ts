/**
 * The kinds of corruption that the campaign injects, and for each what must detect it. Only where there is something to
 * hold the bytes against: a flipped bit on its way from a source without any checksum cannot be known by anybody.
 */
import { beforePull, beforeVerify, recordedPart, resumedPrefix } from './corrupt-disk.js';
import { journal, lists, receipt } from './corrupt-records.js';
import { inTransit, largeInTransit, manifestInTransit } from './corrupt-transit.js';
import type { CorruptionBench } from './corruption-bench.js';
import { flip, repeat, stale, swap, truncate, zeros, type Damage } from './damage.js';
import type { Chance } from './random.js';
import type { Verdict } from './verdict.js';

export interface CorruptionKind {
  readonly where: 'in transit' | 'on disk' | 'resumed prefix' | 'recorded part' | 'record';
  readonly what: string;
  readonly weight: number;
  run(bench: CorruptionBench, chance: Chance): Promise<Verdict>;
}

const DAMAGES: readonly (readonly [string, Damage])[] = [
  ['one bit flipped', flip],
  ['cut short, the length adapted', truncate],
  ['a block of zeros', zeros],
  ['two ranges swapped', swap],
  ['a range repeated', repeat],
];

export const CORRUPTION_KINDS: readonly CorruptionKind[] = [
  ...DAMAGES.map(([what, damage]): CorruptionKind => ({
    where: 'in transit',
    what: `${what}`,
    weight: 6,
    run: (bench, chance) =>
      inTransit(bench, chance, (answer) => {
        const body = damage(answer.body, chance);
        return body && { body };
      }),
  })),
  {
    where: 'in transit',
    what: 'an earlier version of equal length, with its own ETag',
    weight: 6,
    run: (bench, chance) =>
      inTransit(bench, chance, (answer) => {
        const body = stale(answer.body, chance);
        return body && { body, headers: { etag: '"an-earlier-version"' } };
      }),
  },
  {
    where: 'in transit',
    what: 'the connection cut, the length kept',
    weight: 4,
    run: (bench, chance) =>
      inTransit(bench, chance, ({ body }) => ({
        body,
        cutAfterBytes: chance.between(0, body.length),
      })),
  },
  {
    where: 'in transit',
    what: 'a part of a large file: one bit, zeros, or the bytes of another range',
    weight: 1,
    run: largeInTransit,
  },
  {
    where: 'in transit',
    what: "the source's seal or its list of digests, one bit",
    weight: 2,
    run: manifestInTransit,
  },
  {
    where: 'on disk',
    what: 'a published file, before verify',
    weight: 8,
    run: beforeVerify,
  },
  {
    where: 'on disk',
    what: 'a published file, before a pull with --checksum; size and mtime as before',
    weight: 6,
    run: (bench, chance) => beforePull(bench, chance, true),
  },
  {
    where: 'on disk',
    what: 'a published file, before a plain pull; size and mtime as before',
    weight: 4,
    run: (bench, chance) => beforePull(bench, chance, false),
  },
  {
    where: 'resumed prefix',
    what: 'recorded bytes of a partial: one bit, zeros, the end gone',
    weight: 3,
    run: resumedPrefix,
  },
  {
    where: 'recorded part',
    what: 'the sidecar of a partial: a bit, a line twice, wrong digests, a torn line',
    weight: 2,
    run: recordedPart,
  },
  { where: 'record', what: 'SHA256SUMS or the manifest', weight: 6, run: lists },
  { where: 'record', what: "the receipt's digests, or its end", weight: 4, run: receipt },
  { where: 'record', what: 'the journal of a pull under way', weight: 4, run: journal },
];
