import { readFileSync } from 'node:fs';

/** The version in the package.json that this code was shipped with. */
export function packageVersion(): string {
  const path = new URL('../../../package.json', import.meta.url);
  const found: unknown = JSON.parse(readFileSync(path, 'utf8'));
  const isPackage = typeof found === 'object' && found !== null && 'version' in found;
  return isPackage && typeof found.version === 'string' ? found.version : 'unknown';
}
