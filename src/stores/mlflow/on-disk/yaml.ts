/** MLflow's `meta.yaml` files. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type * as z from 'zod';
import { errnoOf } from '../../../model/errno.js';
import { mlflowError } from '../errors.js';

/** A record is a few hundred bytes; a file of another kind under its name may be anything. */
const MAX_CHARACTERS = 1024 * 1024;

/** The record of a folder; undefined where it has none. One that cannot be understood is WB_UNSUPPORTED. */
export async function readMeta<T>(folder: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const path = join(folder, 'meta.yaml');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    const isDenied = errno === 'EACCES' || errno === 'EPERM';
    throw mlflowError(
      isDenied ? 'WB_PERMISSION_DENIED' : 'WB_UNAVAILABLE',
      `${path}, a record of MLflow, cannot be read (${String(errno)})`,
      { operation: 'resolve', scope: 'source', cause },
    );
  }
  const parsed = schema.safeParse(read(text));
  if (parsed.success) return parsed.data;
  const field = parsed.error.issues[0]?.path.join('.') ?? '';
  throw mlflowError(
    'WB_UNSUPPORTED',
    `${path} is no record of MLflow that Waybill knows (at "${field}")`,
    { operation: 'resolve', scope: 'source', cause: parsed.error },
  );
}

function read(text: string): unknown {
  if (text.length > MAX_CHARACTERS) return undefined;
  try {
    // Ids of experiments have 18 digits, more than a number holds.
    return parse(text, { intAsBigInt: true });
  } catch {
    return undefined;
  }
}
