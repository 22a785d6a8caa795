/** Where the record of a finished or running pull lies, from its destination. */
import { statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { RECORD_FOLDER } from '../model/object-path.js';
import { recordFolderBeside } from '../manifest/receipt.js';

/** `DEST/.waybill` of a folder, `.<name>.waybill` beside a single file. */
export function recordFolderOf(destination: string): string {
  let isFolder = false;
  try {
    isFolder = statSync(destination).isDirectory();
  } catch {
    isFolder = false;
  }
  return isFolder
    ? join(destination, RECORD_FOLDER)
    : join(dirname(destination), recordFolderBeside(basename(destination)));
}
