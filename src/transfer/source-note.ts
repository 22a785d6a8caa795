/** `source.json`: what the registry that a source was found in knows of it (producer, labels, lineage, statistics). */
import { join } from 'node:path';
import { WaybillError } from '../model/errors.js';
import type { Store } from '../stores/store.js';
import {
  makeFolderInside,
  readTextIfThere,
  removeDurably,
  writeFileDurably,
} from './durable-file.js';
import { RECORD_NAMES } from './layout.js';

/** A note is read whole when the pull is sealed; statistics of a very wide table are a few MiB. */
const MAX_BYTES = 64 * 1024 * 1024;

const fileIn = (folder: string): string => join(folder, RECORD_NAMES.source);

/** Writes the note beside the plan that is being made from the same store; where there is nothing to say, none. */
export async function noteSource(
  store: Pick<Store, 'describeSource'>,
  planDir: string,
  signal: AbortSignal,
): Promise<void> {
  const text = await store.describeSource?.({ signal });
  if (text === undefined) return;
  if (Buffer.byteLength(text) > MAX_BYTES) {
    const message = `what the registry says of the source is larger than ${MAX_BYTES} bytes`;
    throw new WaybillError('WB_LIMIT_EXCEEDED', message, { operation: 'plan' });
  }
  await makeFolderInside(join(planDir, '..'));
  await makeFolderInside(planDir);
  await writeFileDurably(fileIn(planDir), text);
}

/** Puts the note of a plan into the record; one of an earlier source goes. Run twice, it does nothing more. */
export async function keepSourceNote(planDir: string, recordDir: string): Promise<void> {
  const text = await readTextIfThere(fileIn(planDir), { maxBytes: MAX_BYTES });
  if (text === undefined) await removeDurably(fileIn(recordDir));
  else await writeFileDurably(fileIn(recordDir), text);
}
