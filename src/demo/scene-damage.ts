import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { flipBit } from './proof.js';
import { unproven } from './stage.js';
import type { Stage } from './stage.js';

/** What an earlier scene pulled: a folder and a file in it, or a single file, whose record lies beside it. */
export interface Pulled {
  readonly destination: string;
  /** The damaged file, as the record calls it. */
  readonly path: string;
  readonly file: string;
}

/** Scene (d): one bit of a file on the disk flips, and its size and time stay what they were. */
export async function playDamage(stage: Stage, pulled: Pulled): Promise<string> {
  const { destination, path } = pulled;
  const clean = await stage.waybill(['verify', destination]);
  if (clean.exitCode !== 0) throw unproven(`verify ended with ${clean.exitCode} before the damage`);
  const file = join(stage.dir, pulled.file);
  stage.io.say(`  (one bit in the middle of ${pulled.file} flips; its size and time stay)`);
  await flipBit(file);
  const damaged = await stage.waybill(['verify', destination]);
  const bits = (await stat(file)).size * 8;
  const isNamed = `${damaged.stdout}${damaged.stderr}`.includes(path);
  if (damaged.exitCode !== 6 || !isNamed) {
    throw unproven(`verify ended with ${damaged.exitCode} and ${isNamed ? '' : 'did not '}name it`);
  }
  return `1 of ${bits.toLocaleString('en-US')} bits flipped: waybill verify names ${path} and exits 6`;
}
