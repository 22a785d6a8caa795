/** Corruptions of what is on disk: files that were published, and what a pull left half-way. */
import {
  appendFileSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { verifyTree } from '../../src/transfer/verify.js';
import type { CorruptionBench } from './corruption-bench.js';
import { extend, flip, stale, swap, truncate, zeros, type Damage } from './damage.js';
import type { Chance } from './random.js';
import { isRight, NOT_INJECTED, sha256, VICTIMS, type Verdict } from './verdict.js';

/** Damages a published file and keeps its times. */
function damagePublished(destination: string, chance: Chance, damages: readonly Damage[]): string {
  const file = chance.pick(VICTIMS);
  const path = join(destination, file.path);
  const damage = chance.pick(damages as [Damage, ...Damage[]]);
  const before = readFileSync(path);
  const { atime, mtime } = statSync(path);
  writeFileSync(path, damage(before, chance) ?? flip(before, chance) ?? before);
  utimesSync(path, atime, mtime);
  return file.path;
}

export async function beforeVerify(bench: CorruptionBench, chance: Chance): Promise<Verdict> {
  const destination = await bench.pulled();
  const name = damagePublished(destination, chance, [flip, truncate, zeros, swap, extend, stale]);
  const report = await verifyTree(destination);
  bench.drop(destination);
  return report.findings.some(({ kind, path }) => kind === 'changed' && path === name)
    ? { outcome: 'detected', by: 'verify: changed' }
    : { outcome: 'undetected', by: 'verify says all is well' };
}

export async function beforePull(
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

export async function resumedPrefix(bench: CorruptionBench, chance: Chance): Promise<Verdict> {
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

export async function recordedPart(bench: CorruptionBench, chance: Chance): Promise<Verdict> {
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
