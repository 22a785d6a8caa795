/** What comes of a corruption that was injected, and what it is judged by. */
import { createHash } from 'node:crypto';
import { FILES, LARGE, type CorruptionBench } from './corruption-bench.js';

/** `detected`: an error or a finding. `repaired`: what was damaged was not believed, and the pull ended right. */
export interface Verdict {
  readonly outcome: 'detected' | 'repaired' | 'undetected' | 'not injected';
  /** What noticed it. */
  readonly by: string;
}

export const NOT_INJECTED: Verdict = { outcome: 'not injected', by: '' };

type SourceFile = (typeof FILES)[number];

/** Files that are worth a damage. */
export const VICTIMS = FILES.filter(({ sizeBytes }) => sizeBytes >= 64) as [
  SourceFile,
  ...SourceFile[],
];

/** Whether the file has its bytes. */
export function isRight(bench: CorruptionBench, path: string, name: string): boolean {
  const bytes = bench.bytesAt(path);
  const digest = bytes === undefined ? '' : sha256(bytes);
  return digest === (name === LARGE.path ? bench.largeDigest : bench.digests.get(name));
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
