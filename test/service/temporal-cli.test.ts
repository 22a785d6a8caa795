import { execFile } from 'node:child_process';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import {
  TEMPORAL_CLI_VERSION,
  cachedTemporalCliPath,
  ensureTemporalCli,
  findTemporalCli,
} from '../../src/service/temporal-cli.js';
import { cacheFolder } from '../helpers/cache.js';
import { scratchFolder } from '../helpers/processes.js';

const run = promisify(execFile);
const MODULE = fileURLToPath(new URL('../../src/service/temporal-cli.js', import.meta.url));

/** Asks for the CLI in a process whose PATH holds nothing but a shell, and whose network is not there. */
async function ensureWithoutGo(cacheDir: string): Promise<string> {
  const path = scratchFolder('path');
  await symlink('/bin/sh', join(path, 'sh'));
  const code = `
    const { ensureTemporalCli } = await import(${JSON.stringify(MODULE)});
    try {
      const found = await ensureTemporalCli({ cacheDir: ${JSON.stringify(cacheDir)}, onProgress: console.log });
      console.log(JSON.stringify(found));
    } catch (error) { console.log(error.code + ' ' + error.message); }`;
  const nowhere = 'http://127.0.0.1:9';
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code], {
    env: { PATH: path, HTTPS_PROXY: nowhere, HTTP_PROXY: nowhere },
  });
  return stdout;
}

describe('the Temporal CLI', () => {
  it('is found where it lies, and says which server it holds', async () => {
    const onProgress = (line: string): void => void process.stderr.write(`${line}\n`);
    const cli = await ensureTemporalCli({ cacheDir: cacheFolder(), onProgress });
    expect(cli.version).toMatch(/^\d+\.\d+\.\d+/u);
    expect(cli.serverVersion).toMatch(/^1\.\d+\.\d+/u);
    const found = await findTemporalCli({
      cacheDir: scratchFolder('empty'),
      explicitPath: cli.path,
    });
    expect(found).toMatchObject({ path: cli.path, origin: 'setting' });
    expect(found?.serverVersion).toBe(cli.serverVersion);
  });

  it('is not taken from a setting that names something else', async () => {
    const wrong = { cacheDir: cacheFolder(), explicitPath: '/bin/sh' };
    await expect(findTemporalCli(wrong)).rejects.toMatchObject({
      code: 'WB_CONFIG_INVALID',
      message: expect.stringContaining('WAYBILL_TEMPORAL_CLI names /bin/sh'),
    });
  });

  it('is taken from the cache without asking the network', async () => {
    const cacheDir = scratchFolder('cache');
    const path = cachedTemporalCliPath(cacheDir);
    await mkdir(join(cacheDir, 'bin'));
    await writeFile(path, '#!/bin/sh\n');
    await chmod(path, 0o755);
    expect(JSON.parse(await ensureWithoutGo(cacheDir))).toEqual({
      path,
      version: TEMPORAL_CLI_VERSION,
      serverVersion: expect.any(String),
      origin: 'cache',
    });
  });

  it('says what to do when it can neither be downloaded nor built', async () => {
    const said = await ensureWithoutGo(scratchFolder('cache'));
    expect(said).toContain('asking for a download');
    expect(said).toContain('WB_TEMPORAL_UNREACHABLE There is no Temporal CLI on this machine');
    expect(said).toContain('Install Go 1.24 or later');
    expect(said).toContain('TEMPORAL_ADDRESS');
  });
});
