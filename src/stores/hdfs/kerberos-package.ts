/** Where the npm package `kerberos` lies, which whoever needs it installs beside this one. */
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** What `npm install --global` installs into, of this Node.js and of Debian's. */
const GLOBAL_FOLDERS = [join(process.execPath, '..', '..', 'lib'), '/usr/local/lib'];

/**
 * Finds a package: beside this one and above it, and where `npm install --global` puts it, for a Waybill that is run from
 * elsewhere (`npx`, `npm link`, a project). Never in the working folder: anybody may have written that.
 * @returns its main file; where it is nowhere, `name` as it is
 */
export function findPackage(name: string, globalFolders = GLOBAL_FOLDERS): string {
  const { resolve } = createRequire(import.meta.url);
  for (const options of [undefined, { paths: globalFolders }]) {
    try {
      return resolve(name, options);
    } catch {
      // It is not there: whoever loads it says so.
    }
  }
  return name;
}
