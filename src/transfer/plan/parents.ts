/** Whether the folder of a path is one at the destination, looked at once for each folder of a plan (rule 21). */
import { lstat, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { WaybillError } from '../../model/errors.js';
import { isInside } from '../../model/is-inside.js';
import { errnoOf, toDestinationError } from '../destination-error.js';
import { isSame, recordOf } from '../held-folder.js';

/**
 * What is where a folder should be. `outside`: a link that leads out of the destination. `record`: the folder of the records,
 * by another name.
 */
export type ParentKind = 'folder' | 'missing' | 'not a folder' | 'outside' | 'record';

/** Folders of a destination. What it says is as old as its first look: publishing looks again. */
export class Parents {
  private readonly kinds = new Map<string, Promise<ParentKind>>();
  private realRoot: Promise<string> | undefined;
  private record: ReturnType<typeof recordOf> | undefined;

  constructor(private readonly filesRoot: string) {}

  /** What a relative folder is; '' is the destination itself. */
  kindOf(folder: string): Promise<ParentKind> {
    const known = this.kinds.get(folder);
    if (known !== undefined) return known;
    const looked = this.look(folder);
    this.kinds.set(folder, looked);
    return looked;
  }

  private async look(folder: string): Promise<ParentKind> {
    const slash = folder.lastIndexOf('/');
    if (folder !== '') {
      const above = await this.kindOf(slash < 0 ? '' : folder.slice(0, slash));
      if (above !== 'folder') return above;
    }
    const path = join(this.filesRoot, folder);
    try {
      const found = folder === '' ? await stat(path) : await lstat(path);
      const isLink = found.isSymbolicLink();
      if (!found.isDirectory() && !isLink) return 'not a folder';
      const kind = isLink ? await this.follow(path) : 'folder';
      return kind === 'folder' && (await this.isRecord(path)) ? 'record' : kind;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return 'missing';
      throw toDestinationError(error, 'look at', path);
    }
  }

  private async isRecord(path: string): Promise<boolean> {
    this.record ??= recordOf(this.filesRoot);
    const record = await this.record;
    return record !== undefined && isSame(await stat(path, { bigint: true }), record);
  }

  private async follow(link: string): Promise<ParentKind> {
    this.realRoot ??= realpath(this.filesRoot);
    const root = await this.realRoot;
    try {
      const target = await realpath(link);
      if (!isInside(root, target)) return 'outside';
      return (await stat(target)).isDirectory() ? 'folder' : 'not a folder';
    } catch (error) {
      if (['ENOENT', 'ELOOP'].includes(errnoOf(error) ?? '')) return 'not a folder';
      throw toDestinationError(error, 'look at', link);
    }
  }
}

/** The folder of a path; '' for a name at the root. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

/** The error of a path whose folder is a link that leads out of the destination. */
export function outsideError(path: string): WaybillError {
  const message = `${path.slice(0, 200)} would be written outside: a folder above it is a link that leads out of the destination`;
  return new WaybillError('WB_UNSAFE_PATH', message, { operation: 'plan', path });
}
