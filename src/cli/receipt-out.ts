/** `--receipt-out`: the receipt once more, where a pipeline wants it. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { RECORD_FILES } from '../manifest/receipt.js';
import { WaybillError } from '../model/errors.js';
import type { PullResult } from '../model/pull.js';
import { recordFolderOf } from './record-folder.js';

/** Copies the receipt, or that of a partial pull; nothing where the pull left none. Unwritable: WB_USAGE. */
export function copyReceipt(result: PullResult, target: string): void {
  const name = result.ok ? RECORD_FILES.receipt : RECORD_FILES.partialReceipt;
  if (!result.ok && result.files === 0) return;
  try {
    copyFileSync(join(recordFolderOf(result.destination), name), target);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new WaybillError(
      'WB_USAGE',
      `the pull has ended, but --receipt-out ${target} failed: ${why}`,
      { cause: error },
    );
  }
}
