/** Corruptions on the way from a source. */
import { join } from 'node:path';
import { LARGE, PROVEN_SOURCES, type CorruptionBench } from './corruption-bench.js';
import { flip, stale, zeros } from './damage.js';
import type { Answer, Mangled } from './mangler.js';
import type { Chance } from './random.js';
import { isRight, NOT_INJECTED, VICTIMS, type Verdict } from './verdict.js';

/** One answer or all answers for a file are damaged; the pull may bring the right bytes or fail, never the wrong ones. */
export async function inTransit(
  bench: CorruptionBench,
  chance: Chance,
  damage: (answer: Answer) => Mangled | undefined,
): Promise<Verdict> {
  const source = chance.pick(PROVEN_SOURCES);
  const file = chance.pick(VICTIMS);
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

export async function largeInTransit(bench: CorruptionBench, chance: Chance): Promise<Verdict> {
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

export async function manifestInTransit(bench: CorruptionBench, chance: Chance): Promise<Verdict> {
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
