/** The real OpenSSF Model Signing tool, in a virtual environment of its own in the cache folder. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from './cache.js';

const run = promisify(execFile);
const VERSION = '1.1.1';

const ROOT_OF_TREE = `
import sys, pathlib, hashlib
import model_signing
root = pathlib.Path(sys.argv[1])
ignored = [root / name for name in ('.waybill', 'model.sig')]
manifest = model_signing.hashing.Config().set_ignored_paths(
    paths=ignored, ignore_git_paths=True).hash(root)
whole = hashlib.sha256()
for item in manifest.resource_descriptors():
    whole.update(item.digest.digest_value)
    print(item.identifier.replace('\\n', '?'), file=sys.stderr)
print(whole.hexdigest())
`;

/** The Python of the virtual environment, made once; about 30 s and 60 MB the first time. */
export async function modelSigningPython(): Promise<string> {
  const folder = join(cacheFolder(), `model-signing-${VERSION}`);
  const python = join(folder, 'bin', 'python');
  const isReady = join(folder, 'ready');
  if (existsSync(isReady)) return python;
  await rm(folder, { recursive: true, force: true });
  await mkdir(cacheFolder(), { recursive: true });
  await run('python3', ['-m', 'venv', folder]);
  // The package needs pyOpenSSL and does not say so.
  await run(python, ['-m', 'pip', 'install', '-q', `model-signing==${VERSION}`, 'pyOpenSSL']);
  await mkdir(`${isReady}.new`);
  await rename(`${isReady}.new`, isReady);
  return python;
}

/** The root digest that the Model Signing tool computes for a folder. */
export async function modelSigningRoot(folder: string): Promise<string> {
  const python = await modelSigningPython();
  const { stdout } = await run(python, ['-c', ROOT_OF_TREE, folder]);
  return stdout.trim();
}
