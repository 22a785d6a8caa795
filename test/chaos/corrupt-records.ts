/** Corruptions of the records that a pull keeps. */
import { readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { verifyTree } from '../../src/transfer/verify.js';
import { FILES, type CorruptionBench } from './corruption-bench.js';
import { extend, flip, swap, truncate, zeros } from './damage.js';
import type { Chance } from './random.js';
import { isRight, NOT_INJECTED, VICTIMS, type Verdict } from './verdict.js';

export async function lists(bench: CorruptionBench, chance: Chance): Promise<Verdict> {
  const destination = await bench.pulled();
  const path = join(destination, '.waybill', chance.pick(['SHA256SUMS', 'manifest.ndjson']));
  const wrong = chance.pick([flip, truncate, swap, zeros, extend] as const)(
    readFileSync(path),
    chance,
  );
  if (wrong !== undefined) writeFileSync(path, wrong);
  return verifies(bench, destination, wrong !== undefined);
}

export async function receipt(bench: CorruptionBench, chance: Chance): Promise<Verdict> {
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
export async function journal(bench: CorruptionBench, chance: Chance): Promise<Verdict> {
  const destination = bench.freshDestination();
  const file = chance.pick(VICTIMS);
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
