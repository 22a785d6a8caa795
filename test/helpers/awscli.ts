/** The AWS command line, in a Python environment of its own in the cache: what readers of the pages upload with. */
import { ensureVenv, type Venv } from '../../src/demo/python-venv.js';
import { cacheFolder } from './cache.js';

const VERSION = '1.46.3';

/** The folder in the cache. */
export const AWSCLI_FOLDER = `venv-awscli-${VERSION}`;

/** `aws` is `python -m awscli` of this environment. */
export async function ensureAwscli(onProgress: (line: string) => void): Promise<Venv> {
  return ensureVenv({
    cacheDir: cacheFolder(),
    folder: AWSCLI_FOLDER,
    name: 'AWS CLI',
    requirements: [`awscli==${VERSION}`],
    cost: 'about 20 MB to fetch, half a minute',
    onProgress,
  });
}
