/** A pull that ended well in the eyes of the service, looked at with those of this shell (rule 7). */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { PullResult } from '../model/pull.js';
import { recordFolderOf } from './record-folder.js';

/**
 * The result, or what it is here: a shell in a mount namespace of its own (a container, a unit with a private /tmp) may share the
 * service of another, which has written into a folder of the same name.
 */
export function seenHere(result: PullResult): PullResult {
  const { ok, destination } = result;
  if (!ok || existsSync(join(recordFolderOf(destination), 'receipt.json'))) return result;
  return {
    ...result,
    ok: false,
    exitCode: 10,
    code: 'WB_DESTINATION_NOT_HERE',
    message:
      `the local service has written ${destination}, and this shell sees another folder there: it was started in another ` +
      'mount namespace. Give this one a service of its own with WAYBILL_STATE_DIR, or run `waybill down` and ' +
      'the same command',
  };
}
