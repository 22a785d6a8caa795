import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { cacheFolder } from '../helpers/cache.js';
import { checkJsonOutput } from '../helpers/json-output.js';
import { scratchFolder, scrubbedEnv } from '../helpers/processes.js';

const run = promisify(execFile);
const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

const stagesIn = (dir: string): readonly string[] =>
  readdirSync(dir).filter((name) => name.startsWith('waybill-demo-'));

describe('waybill demo', () => {
  it('shows four proofs with real parts, whatever the shell points at, and takes everything away', async () => {
    const temp = scratchFolder('demo');
    const { stdout } = await run(process.execPath, [MAIN, 'demo', '--json'], {
      env: scrubbedEnv({
        TMPDIR: temp,
        WAYBILL_CACHE_DIR: cacheFolder(),
        // What a person may have set, and the demo must not touch.
        TEMPORAL_ADDRESS: '127.0.0.1:9',
        MLFLOW_TRACKING_URI: 'http://127.0.0.1:9',
        AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
      }),
    });
    checkJsonOutput({ args: ['demo', '--json'], stdout, exitCode: 0, wasKilled: false });
    const lines = stdout.trimEnd().split('\n').slice(0, -1);
    const proofs = lines.map((line) => JSON.parse(line) as { type: string; text: string });
    expect(proofs.map(({ type, text }) => `${type} ${text}`)).toEqual([
      expect.stringMatching(/^proof \(a\) .*13 files .* sha256sum agrees on each, 13 match/u),
      expect.stringMatching(/^proof \(b\) worker \d+ killed at 5\d %.*300\.0 MiB correct/u),
      expect.stringMatching(/^proof \(c\) .*50 of 100 bytes, waybill refuses it with exit 6/u),
      expect.stringMatching(/^proof \(d\) .*waybill verify names .*safetensors and exits 6/u),
    ]);
    expect(stagesIn(temp)).toEqual([]);
  }, 600_000);
});
