/** Waybill as `npm install --global waybill kerberos` lays it out, without asking a registry. */
import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

/**
 * @param prefix what `npm prefix --global` says
 * @param kerberos where that package lies
 * @returns the script of the command
 */
export function layOutGlobally(prefix: string, kerberos: string): string {
  const modules = join(prefix, 'lib/node_modules');
  const own = join(modules, 'waybill');
  mkdirSync(own, { recursive: true });
  for (const part of ['package.json', 'dist/src', 'dist/workflow-bundle.js', 'src/cli/schema']) {
    cpSync(join(ROOT, part), join(own, part), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(own, 'node_modules'));
  symlinkSync(kerberos, join(modules, 'kerberos'));
  return join(own, 'dist/src/cli/main.js');
}
