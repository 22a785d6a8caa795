/** Names that clash: two that the destination folds into one, and a name that is both file and folder (rule 22). */
import { cutText } from '../../model/caps.js';
import { WaybillError } from '../../model/errors.js';
import type { Folding } from './probe-names.js';

/** A path that cannot be written, and what it cannot be written beside. */
export interface Clash {
  readonly path: string;
  /** The other file or folder; the path itself where that is spelled the same. */
  readonly beside: string;
}

/** Remembers the names of a plan and finds the ones that clash; each is told once. */
export class NameTable {
  private readonly files = new Map<string, string>();
  /** Each folder as it was spelled first. */
  private readonly folders = new Map<string, string>();
  /** Folders that are something else too: nothing below them can be written. */
  private readonly broken = new Map<string, string>();
  private readonly told = new Set<string>();

  constructor(private readonly folding: Folding) {}

  /**
   * Takes the path of a file. Answers what cannot all be written, the given path always among it, others only if they were
   * not told before; empty when all is well.
   */
  addFile(path: string): readonly Clash[] {
    const key = this.fold(path);
    const clashes: Clash[] = [];
    const twin = this.files.get(key);
    if (twin !== undefined) clashes.push({ path: twin, beside: path }, { path, beside: twin });
    const folder = this.folders.get(key);
    if (folder !== undefined) {
      clashes.push({ path, beside: folder }, ...this.breakFolder(key, path));
    }
    clashes.push(...this.enter(path, key));
    if (twin === undefined) this.files.set(key, path);
    return this.untold(clashes, path);
  }

  /** Takes the path of a folder that the source has, be it empty. As `addFile`. */
  addFolder(path: string): readonly Clash[] {
    // As the folder of a file in it.
    const clashes = this.enter(`${path}/`, `${this.fold(path)}/`).map((clash) =>
      clash.path === `${path}/` ? { ...clash, path } : clash,
    );
    return this.untold(clashes, path);
  }

  /** Takes the folders above a path. */
  private enter(path: string, key: string): Clash[] {
    const clashes: Clash[] = [];
    const segments = path.split('/');
    const keys = key.split('/');
    for (let depth = 1; depth < segments.length; depth += 1) {
      const folder = keys.slice(0, depth).join('/');
      const spelled = segments.slice(0, depth).join('/');
      const file = this.files.get(folder);
      if (file !== undefined) {
        clashes.push({ path: file, beside: spelled }, { path, beside: file });
      }
      const other = this.folders.get(folder);
      if (other === undefined) this.folders.set(folder, spelled);
      else if (other !== spelled) clashes.push(...this.breakFolder(folder, spelled));
      const beside = this.broken.get(folder);
      if (beside !== undefined) {
        clashes.push({ path, beside: beside === spelled ? (other ?? beside) : beside });
      }
    }
    return clashes;
  }

  /** Nothing below a folder can be written any more. Answers what was taken below it before. */
  private breakFolder(key: string, beside: string): Clash[] {
    if (this.broken.has(key)) return [];
    this.broken.set(key, beside);
    const below = [...this.files].filter(([file]) => file.startsWith(`${key}/`));
    return below.map(([, path]) => ({ path, beside }));
  }

  private untold(clashes: readonly Clash[], own: string): readonly Clash[] {
    this.told.delete(own);
    return clashes.filter(({ path }) => {
      if (this.told.has(path)) return false;
      this.told.add(path);
      return true;
    });
  }

  private fold(path: string): string {
    const { foldsCase, foldsWideCase, foldsUnicode } = this.folding;
    const composed = foldsUnicode ? path.normalize('NFC') : path;
    if (foldsWideCase) {
      const folded = composed.toUpperCase().toLowerCase();
      return foldsUnicode ? folded.normalize('NFC') : folded;
    }
    if (!foldsCase) return composed;
    return composed.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
  }
}

/** The error of one path that clashes with another. */
export function collision({ path, beside }: Clash): WaybillError {
  const isSame = path === beside || path.startsWith(`${beside}/`) || beside.startsWith(`${path}/`);
  const why = isSame
    ? 'it, or a folder above it, is both a file and a folder at the source'
    : `the destination cannot hold it beside ${JSON.stringify(cutText(beside, 60))}`;
  return new WaybillError('WB_NAME_COLLISION', `${JSON.stringify(cutText(path, 60))}: ${why}`, {
    operation: 'plan',
    path,
  });
}
