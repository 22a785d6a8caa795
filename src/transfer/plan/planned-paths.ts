/** What the sealed pages of an interrupted planning have already, asked in the order of a new listing. */
import { compareByBytes } from '../../model/object-path.js';

/**
 * Of pages in byte order the last file stands for all before it: the new listing is skipped up to there. Of others every path
 * is kept.
 */
export class PlannedPaths {
  private isBehind: boolean;

  /**
   * @param last the last file of the pages; undefined: they have none
   * @param all every file, and every folder with a slash at its end; absent where the pages are in byte order
   */
  constructor(
    private readonly last?: string,
    private readonly all?: ReadonlySet<string>,
  ) {
    this.isBehind = last !== undefined;
  }

  hasFile(path: string): boolean {
    const { all, last } = this;
    if (all !== undefined) return all.has(path);
    if (!this.isBehind || last === undefined) return false;
    // From the last one on everything is new, in whatever order it comes.
    if (path === last) this.isBehind = false;
    else if (compareByBytes(path, last) > 0) {
      this.isBehind = false;
      return false;
    }
    return true;
  }

  /** One that is planned twice is made once. */
  hasFolder(path: string): boolean {
    return this.all === undefined ? this.isBehind : this.all.has(`${path}/`);
  }
}
