/** What the file system of a destination does with names: probed in the record folder, never guessed (rules 21, 22). */
import { access, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NameRules } from '../../model/object-path.js';
import { errnoOf, toDestinationError } from '../destination-error.js';

/** Which names are one to a file system. */
export interface Folding {
  /** `a` and `A`. */
  readonly foldsCase: boolean;
  /** Other letters too: `é` and `É`. */
  readonly foldsWideCase: boolean;
  /** Composed and decomposed. */
  readonly foldsUnicode: boolean;
}

/** How a file system takes names. */
export type NamesThere = Folding & NameRules;

/** A file system of this kind, where nothing can be probed. */
export const EXACT_NAMES: NamesThere = {
  foldsCase: false,
  foldsWideCase: false,
  foldsUnicode: false,
  hasDeviceNames: false,
};

/** Whether two names can clash that are not spelled the same. */
export function foldsNames(names: Folding): boolean {
  return names.foldsCase || names.foldsWideCase || names.foldsUnicode;
}

/** What a file system answers that keeps a name for itself. */
const REFUSALS = ['EINVAL', 'EACCES', 'EPERM', 'ENOENT', 'ENXIO', 'EILSEQ', 'EOPNOTSUPP'];

/** Probes; what it makes it removes. Throws what a full or missing disk does. */
export async function probeNames(recordDir: string): Promise<NamesThere> {
  const folds = async (written: string, asked: string): Promise<boolean> => {
    const path = join(recordDir, written);
    try {
      await writeFile(path, '');
      return await exists(join(recordDir, asked));
    } catch (error) {
      throw toDestinationError(error, 'write', path);
    } finally {
      await rm(path, { force: true });
    }
  };
  return {
    foldsCase: await folds('.probe-case-a', '.PROBE-CASE-A'),
    foldsWideCase: await folds('.probe-case-\u00e9', '.probe-case-\u00c9'),
    foldsUnicode: await folds('.probe-\u00e9', '.probe-e\u0301'),
    hasDeviceNames: await refuses(join(recordDir, 'aux.waybill-probe')),
  };
}

/** Other names were taken just before: it is the name that is refused. */
async function refuses(path: string): Promise<boolean> {
  try {
    await writeFile(path, '');
    return !(await exists(path));
  } catch (error) {
    if (REFUSALS.includes(errnoOf(error) ?? '')) return true;
    throw toDestinationError(error, 'write', path);
  } finally {
    await rm(path, { force: true }).catch(() => undefined);
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
