/** What a destination's own record says of its last pull, when Temporal has forgotten it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { decodeReceipt, RECORD_FILES, type Receipt } from '../manifest/receipt.js';
import type { PullResult } from '../model/pull.js';
import { resultOf } from '../transfer/receipt-result.js';
import { recordFolderOf } from './record-folder.js';

/** What the record says. */
export type RecordAnswer =
  | { readonly kind: 'ended'; readonly receipt: Receipt; readonly result: PullResult }
  /** Only the request is there: the pull did not come to an end. */
  | { readonly kind: 'unfinished'; readonly source: string; readonly recordFolder: string };

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

const requestSchema = z.object({ source: z.object({ uri: z.string() }) });

function requestedSource(text: string): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'unknown';
  }
  const plain = requestSchema.safeParse(value);
  if (plain.success) return plain.data.source.uri;
  const wrapped = z.object({ request: requestSchema }).safeParse(value);
  return wrapped.success ? wrapped.data.request.source.uri : 'unknown';
}

/** Reads the record of a destination; undefined where there is none. A damaged receipt is WB_LOCAL_DAMAGE. */
export function readRecordAnswer(destination: string): RecordAnswer | undefined {
  const folder = recordFolderOf(destination);
  for (const name of [RECORD_FILES.receipt, RECORD_FILES.partialReceipt]) {
    const text = read(join(folder, name));
    if (text === undefined) continue;
    const receipt = decodeReceipt(text, join(folder, name));
    return { kind: 'ended', receipt, result: resultOf(receipt) };
  }
  const request = read(join(folder, 'pull.json'));
  if (request === undefined) return undefined;
  return { kind: 'unfinished', source: requestedSource(request), recordFolder: folder };
}
