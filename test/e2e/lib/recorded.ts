/** What a pull of a tree has recorded of its large files so far, which outlives a kill. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readSidecar } from '../../../src/transfer/sidecar.js';
import type { Extent } from '../../../src/transfer/thread/tasks.js';
import type { RunningWaybill } from '../../helpers/waybill.js';

const MiB = 1024 * 1024;

/** The pieces that are recorded. */
export function recorded(destination: string): Extent[] {
  const folder = join(destination, '.waybill', 'partial');
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const sidecars = names.filter((name) => name.endsWith('.parts'));
  return sidecars.flatMap((name) => readSidecar(join(folder, name)).extents);
}

/** Waits until two MiB are; a pull that ends before fails the test. */
export async function untilRecorded(destination: string, pulling: RunningWaybill): Promise<void> {
  let hasEnded = false;
  void pulling.done.finally(() => (hasEnded = true)).catch(() => undefined);
  while (sizeOf(recorded(destination)) < 2 * MiB) {
    if (hasEnded) throw new Error(`the pull has ended: ${pulling.stdout()} ${pulling.stderr()}`);
    await sleep(20);
  }
}

function sizeOf(extents: readonly Extent[]): number {
  return extents.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
}
