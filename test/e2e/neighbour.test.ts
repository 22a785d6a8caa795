import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readServiceRecord } from '../../src/service/service-record.js';
import { serviceFiles } from '../../src/service/service-files.js';
import { openRoot } from '../helpers/open-root.js';
import { scrubbedEnv } from '../helpers/processes.js';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';

/** No user of this system. */
const OTHER_USER = 61_234;

const root = openRoot();
let bed: WaybillBed;

beforeAll(async () => {
  bed = openWaybill();
  mkdirSync(join(bed.dir, 'source'));
  writeFileSync(join(bed.dir, 'source', 'model.bin'), 'weights');
  const { exitCode } = await bed.run(['pull', 'source', 'model']);
  expect(exitCode).toBe(0);
}, 120_000);

afterAll(async () => {
  await bed.close();
  root.close();
});

describe('rule 1: another user of the host', () => {
  it('finds no file of the service that others may read', () => {
    const { folder, controlSocket } = serviceFiles(bed.stateDir);
    expect(lstatSync(folder).mode & 0o777).toBe(0o700);
    expect(lstatSync(controlSocket).mode & 0o777).toBe(0o600);
    const names = readdirSync(folder);
    expect(names).toEqual(expect.arrayContaining(['payloads.key', 'credentials.key']));
    expect(names.some((name) => /^temporal-.*\.db$/.test(name))).toBe(true);
    for (const name of names) {
      const found = lstatSync(join(folder, name));
      // The lock is a link, which has no mode of its own.
      if (!found.isSymbolicLink()) expect([name, found.mode & 0o077]).toEqual([name, 0]);
    }
  });

  it('reads nothing, is not let in, and starts nothing through the open port of Temporal', async () => {
    const address = readServiceRecord(serviceFiles(bed.stateDir).record)?.address;
    const shared = join(bed.dir, 'shared');
    mkdirSync(shared);
    chmodSync(shared, 0o777);
    const destination = join(shared, 'stolen');
    const neighbour = root.path('dist/test/e2e/lib/neighbour.js');
    const words = JSON.stringify({ stateDir: bed.stateDir, address, destination });
    const { stdout } = await promisify(execFile)(process.execPath, [neighbour, words], {
      uid: OTHER_USER,
      gid: OTHER_USER,
      cwd: '/',
      env: scrubbedEnv(),
    });
    const refused = 'EACCES';
    expect(JSON.parse(stdout)).toEqual({
      userId: OTHER_USER,
      list: refused,
      read: {
        payloadKey: refused,
        fingerprintKey: refused,
        record: refused,
        serviceLog: refused,
        temporalLog: refused,
        workerLog: refused,
      },
      connect: refused,
      start: 'WB_PERMISSION_DENIED',
    });
    expect(existsSync(destination)).toBe(false);
    expect(readdirSync(shared)).toEqual([]);
  });

  it('does not show up among the pulls of the owner', async () => {
    const { result } = await bed.run(['pulls', '--json']);
    const text = JSON.stringify(result);
    expect(text).toContain('model');
    expect(text).not.toContain('by-a-neighbour');
  });

  it('a key that others may read is refused with the way to mend it', async () => {
    const { payloadKey } = serviceFiles(bed.stateDir);
    chmodSync(payloadKey, 0o640);
    const { exitCode, stderr } = await bed.run(['pull', 'source', 'again']);
    chmodSync(payloadKey, 0o600);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/payloads\.key can be read or written by others \(mode 640\)/);
    expect((await bed.run(['pull', 'source', 'again'])).exitCode).toBe(0);
  });
});
