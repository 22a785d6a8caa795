/** `--receipt-out`: the receipt once more, where a pipeline wants it. */
import { accessSync, constants, copyFileSync, existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { RECORD_FILES } from '../manifest/receipt.js';
import { WaybillError } from '../model/errors.js';
import type { PullResult } from '../model/pull.js';
import { recordFolderOf } from './record-folder.js';

/** Refuses a place that cannot be written before anything is fetched. Throws WB_USAGE. */
export function checkReceiptOut(target: string): void {
  try {
    accessSync(dirname(resolve(target)), constants.W_OK);
  } catch (error) {
    throw notWritten(target, error);
  }
}

/**
 * Copies the receipt, or that of a partial pull. Of a pull that failed it answers why there is no copy, for that must not
 * hide why the pull failed; of one that is well an unwritable place is WB_USAGE.
 */
export function copyReceipt(result: PullResult, target: string): string | undefined {
  const name = result.ok ? RECORD_FILES.receipt : RECORD_FILES.partialReceipt;
  const source = join(recordFolderOf(result.destination), name);
  if (!result.ok && (result.files === 0 || !existsSync(source))) {
    return `--receipt-out ${target}: not written, for the pull left no receipt`;
  }
  try {
    copyFileSync(source, target);
    return undefined;
  } catch (error) {
    const problem = notWritten(target, error);
    if (result.ok) throw problem;
    return problem.message;
  }
}

function notWritten(target: string, error: unknown): WaybillError {
  const why = error instanceof Error ? error.message : String(error);
  return new WaybillError('WB_USAGE', `--receipt-out ${target} cannot be written: ${why}`, {
    cause: error,
  });
}
