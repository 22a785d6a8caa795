/** Every case, in the order in which they run. */
import type { BenchCase } from '../lib/case.js';
import { cluster } from './cluster.js';
import { connections, latency, lossy } from './faults.js';
import { httpLarge } from './http.js';
import { localMany } from './local.js';
import { mlflowRun } from './mlflow.js';
import { resume } from './resume.js';
import { s3Large, s3Many } from './s3.js';
import { coldStart, warmStart } from './starts.js';

const KiB = 1024;
const GiB = 1024 * 1024 * KiB;

export const CASES: readonly BenchCase[] = [
  warmStart,
  coldStart,
  httpLarge('http-2GiB', 2 * 1024),
  s3Large('s3-1GiB', 1024),
  s3Large('s3-5GiB', 5 * 1024),
  s3Many('s3-5000x16KiB', { count: 5_000, sizeBytes: 16 * KiB }),
  s3Many('s3-10000x256KiB', { count: 10_000, sizeBytes: 256 * KiB }),
  mlflowRun('mlflow-1GiB', { count: 1, sizeBytes: GiB }),
  mlflowRun('mlflow-5000x16KiB', { count: 5_000, sizeBytes: 16 * KiB }),
  localMany('local-100000x1KiB', { count: 100_000, sizeBytes: KiB }),
  resume('resume-2GiB', 2 * 1024),
  latency,
  connections,
  lossy,
  cluster,
];
