import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { flipBit } from './proof.js';
import { unproven } from './stage.js';
import type { Stage } from './stage.js';

/** Scene (d): one bit of a file on the disk flips, and its size and time stay what they were. */
export async function playDamage(stage: Stage, folder: string, path: string): Promise<string> {
  const clean = await stage.waybill(['verify', folder]);
  if (clean.exitCode !== 0) throw unproven(`verify ended with ${clean.exitCode} before the damage`);
  const file = join(stage.dir, folder, path);
  stage.io.say(`  (one bit in the middle of ${folder}/${path} flips; its size and time stay)`);
  await flipBit(file);
  const damaged = await stage.waybill(['verify', folder]);
  const bits = (await stat(file)).size * 8;
  const isNamed = `${damaged.stdout}${damaged.stderr}`.includes(path);
  if (damaged.exitCode !== 6 || !isNamed) {
    throw unproven(`verify ended with ${damaged.exitCode} and ${isNamed ? '' : 'did not '}name it`);
  }
  return `1 of ${bits.toLocaleString('en-US')} bits flipped: waybill verify names ${path} and exits 6`;
}
