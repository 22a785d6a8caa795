/** Names that clash: two that the destination folds into one, and a name that is both file and folder (rule 22). */
import { access, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WaybillError } from '../../model/errors.js';

/** How a file system takes names. */
export interface Folding {
  readonly foldsCase: boolean;
  readonly foldsUnicode: boolean;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Probes in the record folder what the file system folds; it is never guessed. */
export async function probeFolding(recordDir: string): Promise<Folding> {
  const probe = async (written: string, asked: string): Promise<boolean> => {
    const path = join(recordDir, written);
    await writeFile(path, '');
    try {
      return await exists(join(recordDir, asked));
    } finally {
      await rm(path, { force: true });
    }
  };
  return {
    foldsCase: await probe('.probe-case-a', '.PROBE-CASE-A'),
    foldsUnicode: await probe('.probe-\u00e9', '.probe-e\u0301'),
  };
}

/** Remembers the names of a plan and finds the ones that clash. */
export class NameTable {
  private readonly files = new Map<string, string>();
  /** Each folder with the first file that was seen below it. */
  private readonly folders = new Map<string, string>();

  constructor(private readonly folding: Folding) {}

  /**
   * Takes the path of a file. Answers the paths that cannot both be written, the given one among them; empty when
   * all is well.
   */
  addFile(path: string): readonly string[] {
    const key = this.fold(path);
    const twin = this.files.get(key);
    if (twin !== undefined) return twin === path ? [path] : [twin, path];
    const below = this.folders.get(key);
    if (below !== undefined) return [below, path];
    this.files.set(key, path);
    const clashing: string[] = [];
    for (let end = key.lastIndexOf('/'); end > 0; end = key.lastIndexOf('/', end - 1)) {
      const folder = key.slice(0, end);
      const file = this.files.get(folder);
      if (file !== undefined) clashing.push(file);
      if (this.folders.has(folder)) break;
      this.folders.set(folder, path);
    }
    return clashing.length === 0 ? [] : [...clashing, path];
  }

  private fold(path: string): string {
    const composed = this.folding.foldsUnicode ? path.normalize('NFC') : path;
    return this.folding.foldsCase ? composed.toLowerCase() : composed;
  }
}

/** The error of one path that clashes with others. */
export function collision(path: string, others: readonly string[]): WaybillError {
  const other = others.find((candidate) => candidate !== path);
  const why =
    other === undefined
      ? 'it is both a file and a folder at the source'
      : `the destination cannot hold it beside ${JSON.stringify(other.slice(0, 200))}`;
  return new WaybillError('WB_NAME_COLLISION', `${JSON.stringify(path.slice(0, 200))}: ${why}`, {
    operation: 'plan',
    path,
  });
}
