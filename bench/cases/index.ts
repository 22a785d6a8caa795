/** Every case, in the order in which they run. */
import type { BenchCase } from '../lib/case.js';
import { cluster } from './cluster.js';
import { s3Large, s3Many } from './s3.js';

const KiB = 1024;

export const CASES: readonly BenchCase[] = [
  s3Large('s3-1GiB', 1024),
  s3Large('s3-5GiB', 5 * 1024),
  s3Many('s3-5000x16KiB', { count: 5_000, sizeBytes: 16 * KiB }),
  s3Many('s3-10000x256KiB', { count: 10_000, sizeBytes: 256 * KiB }),
  cluster,
];
