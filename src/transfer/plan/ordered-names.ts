/** Names that clash (rule 22), found in a listing in byte order without remembering it: what could clash comes close together. */
import { compareByBytes } from '../../model/object-path.js';
import { NameTable, type Clash } from './names.js';
import type { Folding } from './probe-names.js';

/** What finds names that clash, as `NameTable` specifies it. */
export type Names = Pick<NameTable, 'addFile' | 'addFolder'>;

/** Remembers as little as the destination allows: where it folds names, any two may clash. */
export function namesOf(folding: Folding): Names {
  const { foldsCase, foldsWideCase, foldsUnicode } = folding;
  return foldsCase || foldsWideCase || foldsUnicode
    ? new NameTable(folding)
    : new OrderedNames(folding);
}

/**
 * Between a file `a` and a file `a/b` everything begins with `a`: only files that the path at hand begins with may be folders
 * of it. A listing that turns out not to be in order is looked at by a table from there on.
 */
class OrderedNames implements Names {
  private last: string | undefined;
  /** Files that what comes may begin with, the shortest first. */
  private readonly files: { readonly path: string; isTold: boolean }[] = [];
  /** Folders with an entry of their own that a file may be called as. */
  private readonly folders: string[] = [];
  private table: NameTable | undefined;

  constructor(private readonly folding: Folding) {}

  addFile(path: string): readonly Clash[] {
    const { last } = this;
    if (this.table !== undefined) return this.table.addFile(path);
    const order = last === undefined ? -1 : compareByBytes(last, path);
    if (order === 0) return [{ path, beside: path }];
    if (last !== undefined && order > 0) {
      this.table = new NameTable(this.folding);
      this.table.addFile(last);
      return this.table.addFile(path);
    }
    this.last = path;
    this.forget(path);
    const clashes = this.below(path);
    const isFolder = this.folders.at(-1) === path;
    if (isFolder && clashes.length === 0) clashes.push({ path, beside: path });
    this.files.push({ path, isTold: clashes.length > 0 });
    return clashes;
  }

  addFolder(path: string): readonly Clash[] {
    if (this.table !== undefined) return this.table.addFolder(path);
    while (!path.startsWith(this.folders.at(-1) ?? '')) this.folders.pop();
    this.folders.push(path);
    return this.below(`${path}/`).map(({ beside, path: other }) => ({
      path: other === `${path}/` ? path : other,
      beside,
    }));
  }

  /** What clashes when something has files above it: those, if they were not told before, and itself. */
  private below(path: string): Clash[] {
    const above = this.files.filter((file) => path.startsWith(`${file.path}/`));
    const [first] = above;
    if (first === undefined) return [];
    const news = above.filter(({ isTold }) => !isTold);
    for (const file of news) file.isTold = true;
    return [
      ...news.map((file) => ({ path: file.path, beside: file.path })),
      { path, beside: first.path },
    ];
  }

  private forget(path: string): void {
    while (!path.startsWith(this.files.at(-1)?.path ?? '')) this.files.pop();
    while (!path.startsWith(this.folders.at(-1) ?? '')) this.folders.pop();
  }
}
