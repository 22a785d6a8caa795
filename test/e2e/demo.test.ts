import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { cacheFolder } from '../helpers/cache.js';
import { scratchFolder, scrubbedEnv } from '../helpers/processes.js';

const run = promisify(execFile);
const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

const stagesIn = (dir: string): readonly string[] =>
  readdirSync(dir).filter((name) => name.startsWith('waybill-demo-'));

describe('waybill demo', () => {
  it('shows four proofs with real parts, whatever the shell points at, and takes everything away', async () => {
    const temp = scratchFolder('demo');
    const { stdout } = await run(process.execPath, [MAIN, 'demo'], {
      env: scrubbedEnv({
        TMPDIR: temp,
        WAYBILL_CACHE_DIR: cacheFolder(),
        // What a person may have set, and the demo must not touch.
        TEMPORAL_ADDRESS: '127.0.0.1:9',
        MLFLOW_TRACKING_URI: 'http://127.0.0.1:9',
        AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
      }),
    });
    const proofs = stdout.trimEnd().split('\n');
    expect(proofs).toEqual([
      expect.stringMatching(/^PROVEN \(a\) .*13 files .* sha256sum agrees on each, 13 match/u),
      expect.stringMatching(/^PROVEN \(b\) worker \d+ killed at 5\d %.*300\.0 MiB correct/u),
      expect.stringMatching(/^PROVEN \(c\) .*50 of 100 bytes, waybill refuses it with exit 6/u),
      expect.stringMatching(/^PROVEN \(d\) .*waybill verify names .*safetensors and exits 6/u),
    ]);
    expect(stagesIn(temp)).toEqual([]);
  }, 240_000);
});
