/**
 * The kinds of corruption that the campaign injects, and for each what must detect it. Only where there is something to
 * hold the bytes against: a flipped bit on its way from a source without any checksum cannot be known by anybody.
 */
import {
  appendFileSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { verifyTree } from '../../src/transfer/verify.js';
import { PROVEN_SOURCES, FILES, LARGE, type CorruptionBench } from './corruption-bench.js';
import { extend, flip, repeat, stale, swap, truncate, zeros, type Damage } from './damage.js';
import type { Answer, Mangled } from './mangler.js';
import type { Chance } from './random.js';

/** `detected`: an error or a finding. `repaired`: what was damaged was not believed, and the pull ended right. */
export interface Verdict {
  readonly outcome: 'detected' | 'repaired' | 'undetected' | 'not injected';
  /** What noticed it. */
  readonly by: string;
}

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

const NOT_INJECTED: Verdict = { outcome: 'not injected', by: '' };
const victims = FILES.filter(({ sizeBytes }) => sizeBytes >= 64);

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

/** One answer or all answers for a file are damaged; the pull may bring the right bytes or fail, never the wrong ones. */
async function inTransit(
  bench: CorruptionBench,
  chance: Chance,
  damage: (answer: Answer) => Mangled | undefined,
): Promise<Verdict> {
  const source = chance.pick(PROVEN_SOURCES);
  const file = chance.pick(victims as [(typeof victims)[0], ...typeof victims]);
  const mangler = source.startsWith('S3') ? bench.s3 : bench.http;
  const isAlways = chance.isTrue(0.5);
  const destination = bench.freshDestination();
  const request = bench.requestOf(source, destination, file);
  mangler.setMangle((path, answer) => {
    if (!path.split('?')[0]?.endsWith(`/${file.path}`)) return undefined;
    return isAlways || mangler.damaged() === 0 ? damage(answer) : undefined;
  });
  const first = await bench.pull(request);
  const injected = mangler.damaged();
  mangler.setMangle(undefined);
  const path = source === '--expect' ? destination : join(destination, file.path);
  const verdict = judge(bench, first, path, file.path, injected > 0);
  if (verdict.outcome === 'detected') {
    // Once the damage is over, the same command must bring everything.
    const second = await bench.pull(request);
    if (!second.ok || !isRight(bench, path, file.path)) {
      bench.drop(destination);
      return { outcome: 'undetected', by: `not mended: ${second.ok ? 'wrong' : second.why}` };
    }
  }
  bench.drop(destination);
  return { ...verdict, by: `${source}: ${verdict.by}` };
}

function judge(
  bench: CorruptionBench,
  ending: Awaited<ReturnType<CorruptionBench['pull']>>,
  path: string,
  name: string,
  isInjected: boolean,
): Verdict {
  const isThere = bench.bytesAt(path) !== undefined;
  if (isThere && !isRight(bench, path, name))
    return { outcome: 'undetected', by: 'wrong bytes under the final name' };
  if (!isInjected) return NOT_INJECTED;
  if (!ending.ok) return { outcome: 'detected', by: ending.why };
  return isThere
    ? { outcome: 'repaired', by: 'fetched again' }
    : { outcome: 'undetected', by: 'done without the file' };
}

function isRight(bench: CorruptionBench, path: string, name: string): boolean {
  const bytes = bench.bytesAt(path);
  const digest = bytes === undefined ? '' : sha256(bytes);
  return digest === (name === LARGE.path ? bench.largeDigest : bench.digests.get(name));
}

async function largeInTransit(bench: CorruptionBench, chance: Chance): Promise<Verdict> {
  const destination = join(bench.freshDestination(), '..', LARGE.path);
  const damage = chance.pick([flip, zeros, stale] as const);
  const victim = chance.between(0, 3);
  let seen = 0;
  bench.http.setMangle((_path, answer) => {
    seen += 1;
    const body = seen - 1 === victim ? damage(answer.body, chance) : undefined;
    return body && { body };
  });
  const request = bench.requestOf('--expect', destination);
  const first = await bench.pull(request);
  const isInjected = bench.http.damaged() > 0;
  bench.http.setMangle(undefined);
  const verdict = judge(bench, first, destination, LARGE.path, isInjected);
  bench.drop(destination);
  return { ...verdict, by: `--expect: ${verdict.by}` };
}

async function manifestInTransit(bench: CorruptionBench, chance: Chance): Promise<Verdict> {
  const destination = bench.freshDestination();
  bench.http.setMangle((path, answer) => {
    if (!path.includes('/.waybill/')) return undefined;
    const body = flip(answer.body, chance);
    return body && { body };
  });
  const ending = await bench.pull(bench.requestOf('seal', destination));
  const isInjected = bench.http.damaged() > 0;
  bench.http.setMangle(undefined);
  bench.drop(destination);
  if (!isInjected) return NOT_INJECTED;
  return ending.ok
    ? { outcome: 'undetected', by: 'believed' }
    : { outcome: 'detected', by: `the seal's digest: ${ending.why}` };
}

/** Damages a published file and keeps its times. */
function damagePublished(destination: string, chance: Chance, damages: readonly Damage[]): string {
  const file = chance.pick(victims as [(typeof victims)[0], ...typeof victims]);
  const path = join(destination, file.path);
  const damage = chance.pick(damages as [Damage, ...Damage[]]);
  const before = readFileSync(path);
  const { atime, mtime } = statSync(path);
  writeFileSync(path, damage(before, chance) ?? flip(before, chance) ?? before);
  utimesSync(path, atime, mtime);
  return file.path;
}

async function beforeVerify(bench: CorruptionBench, chance: Chance): Promise<Verdict> {
  const destination = await bench.pulled();
  const name = damagePublished(destination, chance, [flip, truncate, zeros, swap, extend, stale]);
  const report = await verifyTree(destination);
  bench.drop(destination);
  return report.findings.some(({ kind, path }) => kind === 'changed' && path === name)
    ? { outcome: 'detected', by: 'verify: changed' }
    : { outcome: 'undetected', by: 'verify says all is well' };
}

async function beforePull(
  bench: CorruptionBench,
  chance: Chance,
  isChecked: boolean,
): Promise<Verdict> {
  const destination = await bench.pulled();
  const name = damagePublished(destination, chance, [flip, zeros, swap, stale]);
  const isOverwriting = chance.isTrue(0.5);
  const ending = await bench.pull({
    ...bench.requestOf('seal', destination),
    checksum: isChecked,
    ...(isOverwriting ? { ifExists: 'overwrite' as const } : {}),
  });
  const isMended = isRight(bench, join(destination, name), name);
  bench.drop(destination);
  if (ending.ok)
    return isMended
      ? { outcome: 'repaired', by: 'fetched again' }
      : { outcome: 'undetected', by: 'kept' };
  return { outcome: 'detected', by: ending.why };
}

async function resume(bench: CorruptionBench, file: string, by: string): Promise<Verdict> {
  const ending = await bench.pull(bench.requestOf('--expect', file));
  const bytes = bench.bytesAt(file);
  const isDone = bytes !== undefined && sha256(bytes) === bench.largeDigest;
  bench.drop(file);
  if (bytes !== undefined && !isDone) return { outcome: 'undetected', by: 'wrong bytes' };
  if (!ending.ok) return { outcome: 'detected', by: ending.why };
  // Something recorded was not believed: more than the missing part came.
  return { outcome: 'repaired', by };
}

async function resumedPrefix(bench: CorruptionBench, chance: Chance): Promise<Verdict> {
  const { file, partial } = await bench.interrupted();
  const name = readdirSync(partial).find((found) => !found.endsWith('.parts')) ?? '';
  const extents = extentsOf(join(partial, `${name}.parts`));
  const extent = chance.pick(extents as [Extent, ...Extent[]]);
  const bytes = readFileSync(join(partial, name));
  const part = bytes.subarray(extent.offsetBytes, extent.offsetBytes + extent.lengthBytes);
  const damage = chance.pick([flip, zeros, swap, truncate] as const);
  const wrong = damage(part, chance);
  if (wrong === undefined) return NOT_INJECTED;
  if (wrong.length < part.length) {
    writeFileSync(join(partial, name), bytes.subarray(0, extent.offsetBytes + wrong.length));
  } else {
    wrong.copy(bytes, extent.offsetBytes);
    writeFileSync(join(partial, name), bytes);
  }
  return resume(bench, file, 'the digest of the recorded part');
}

interface Extent {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

function extentsOf(sidecar: string): Extent[] {
  return readFileSync(sidecar, 'utf8')
    .split('\n')
    .filter((line) => line.includes('"offsetBytes"'))
    .map((line) => JSON.parse(line.slice(9)) as Extent);
}

async function recordedPart(bench: CorruptionBench, chance: Chance): Promise<Verdict> {
  const { file, partial } = await bench.interrupted();
  const name = readdirSync(partial).find((found) => found.endsWith('.parts')) ?? '';
  const path = join(partial, name);
  const text = readFileSync(path);
  const wrong = chance.pick([flip, truncate, zeros, extend, swap] as const)(text, chance);
  if (wrong === undefined) return NOT_INJECTED;
  writeFileSync(path, wrong);
  if (chance.isTrue(0.3)) appendFileSync(path, text.subarray(0, chance.between(1, text.length)));
  return resume(bench, file, 'the CRC of the line, or the digest of the part');
}

async function lists(bench: CorruptionBench, chance: Chance): Promise<Verdict> {
  const destination = await bench.pulled();
  const path = join(destination, '.waybill', chance.pick(['SHA256SUMS', 'manifest.ndjson']));
  const wrong = chance.pick([flip, truncate, swap, zeros, extend] as const)(
    readFileSync(path),
    chance,
  );
  if (wrong !== undefined) writeFileSync(path, wrong);
  return verifies(bench, destination, wrong !== undefined);
}

async function receipt(bench: CorruptionBench, chance: Chance): Promise<Verdict> {
  const destination = await bench.pulled();
  const path = join(destination, '.waybill/receipt.json');
  const text = readFileSync(path, 'utf8');
  if (chance.isTrue(0.3)) {
    const cut = text.slice(0, chance.between(0, text.trimEnd().length - 1));
    writeFileSync(path, cut);
    return verifies(bench, destination, true);
  }
  const name = chance.pick(['treeDigest', 'manifestDigest']);
  const at = text.indexOf(`"${name}"`) + name.length + 5 + chance.between(0, 60);
  const old = text[at] ?? '';
  const digit = chance.pick(['0', '1', '2', '3', 'a', 'b', 'c', 'd']);
  if (digit === old || !/[0-9a-f]/u.test(old)) {
    bench.drop(destination);
    return NOT_INJECTED;
  }
  writeFileSync(path, text.slice(0, at) + digit + text.slice(at + 1));
  return verifies(bench, destination, true);
}

async function verifies(
  bench: CorruptionBench,
  destination: string,
  isInjected: boolean,
): Promise<Verdict> {
  const report = await verifyTree(destination).catch((error: { code?: string }) => error);
  bench.drop(destination);
  if (!isInjected) return NOT_INJECTED;
  if (!('recordProblems' in report))
    return { outcome: 'detected', by: `verify: ${report.code ?? ''}` };
  return report.recordProblems.length > 0
    ? { outcome: 'detected', by: 'verify: the record was changed' }
    : { outcome: 'undetected', by: 'verify says all is well' };
}

/** A pull that lacks one file, its journal damaged, then the same again: the tree must be right or the pull must say why not. */
async function journal(bench: CorruptionBench, chance: Chance): Promise<Verdict> {
  const destination = bench.freshDestination();
  const file = chance.pick(victims as [(typeof victims)[0], ...typeof victims]);
  bench.http.setMangle((path, { body }) =>
    path.endsWith(`/${file.path}`) ? { body, cutAfterBytes: 0 } : undefined,
  );
  const request = bench.requestOf('seal', destination);
  const first = await bench.pull(request);
  bench.http.setMangle(undefined);
  const folder = join(destination, '.waybill/journal');
  const name = readdirSync(folder)[0];
  if (first.ok || name === undefined) {
    bench.drop(destination);
    return NOT_INJECTED;
  }
  const path = join(folder, name);
  const text = readFileSync(path);
  const wrong = chance.isTrue(0.1)
    ? 'gone'
    : chance.pick([flip, truncate, zeros, swap] as const)(text, chance);
  if (wrong === 'gone') unlinkSync(path);
  else if (wrong !== undefined) writeFileSync(path, wrong);
  const second = await bench.pull(request);
  const wrongFiles = FILES.filter(
    ({ path: each }) =>
      bench.bytesAt(join(destination, each)) !== undefined &&
      !isRight(bench, join(destination, each), each),
  );
  const missing = FILES.filter(({ path: each }) => !isRight(bench, join(destination, each), each));
  bench.drop(destination);
  if (wrong === undefined) return NOT_INJECTED;
  if (wrongFiles.length > 0 || (second.ok && missing.length > 0))
    return { outcome: 'undetected', by: 'the tree is not whole' };
  if (second.ok) return { outcome: 'repaired', by: 'the CRC of the line; the file on disk' };
  return { outcome: 'detected', by: second.why };
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
