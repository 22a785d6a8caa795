/** What `--expect` names. */
import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { hasScheme, splitSecrets } from '../../model/artifact-uri.js';
import { WaybillError } from '../../model/errors.js';
import type { Expectation } from '../../model/pull.js';

/** What a sealed or pulled folder says about itself. */
const LIST_IN_FOLDER = '.waybill/manifest.ndjson';

/**
 * `sha256:HEX`; a URI; or the absolute path of a list that exists, a folder standing for its own record. The worker
 * reads the list, so it must be a file.
 */
export function parseExpectation(text: string, cwd: string): Expectation {
  const [, sha256] = /^sha256:([0-9a-f]{64})$/i.exec(text) ?? [];
  if (sha256 !== undefined) return { kind: 'digest', sha256: sha256.toLowerCase() };
  if (/^[0-9a-f]{64}$/i.test(text) && !existsSync(resolve(cwd, text))) {
    return { kind: 'digest', sha256: text.toLowerCase() };
  }
  if (/^sha256:/i.test(text)) throw usage(text, 'sha256: wants 64 hexadecimal digits');
  if (text === '-') throw usage(text, 'a list cannot come from stdin; write it to a file first');
  if (hasScheme(text)) {
    if (Object.keys(splitSecrets(text).secrets).length > 0) {
      throw new WaybillError('WB_USAGE', '--expect takes no address with a secret in it');
    }
    return { kind: 'list', location: text };
  }
  const location = resolve(cwd, text);
  const found = statSync(location, { throwIfNoEntry: false });
  if (found === undefined) {
    throw usage(text, 'there is no such file; write sha256:HEX, a file or a URI');
  }
  if (found.isFile()) return { kind: 'list', location };
  if (!found.isDirectory()) throw usage(text, 'it is a pipe; write the list to a file first');
  const list = join(location, LIST_IN_FOLDER);
  if (existsSync(list)) return { kind: 'list', location: list };
  throw usage(text, `it is a folder without ${LIST_IN_FOLDER}; \`waybill seal\` makes one`);
}

function usage(text: string, why: string): WaybillError {
  return new WaybillError('WB_USAGE', `--expect ${text}: ${why}`);
}
