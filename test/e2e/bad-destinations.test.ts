/** Destinations that cannot be written, at the command line: nothing that is there is lost. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';

const LONG_MS = 300_000;
const SOON = ['--give-up-after', '4s'];

let bed: WaybillBed;

beforeAll(() => {
  bed = openWaybill();
});

afterAll(() => bed.close(), LONG_MS);

describe('a destination that cannot be written', () => {
  let tree: string;

  beforeAll(() => {
    tree = join(bed.dir, 'tree');
    mkdirSync(tree);
    writeFileSync(join(tree, 'a.txt'), 'a');
  });

  it(
    'that is a file is exit 9, and the file stays as it is',
    async () => {
      const file = join(bed.dir, 'a-file');
      writeFileSync(file, 'mine');
      const run = await bed.run(['pull', tree, file, '--json']);
      expect({ exitCode: run.exitCode, ...run.result }).toMatchObject({
        exitCode: 9,
        code: 'WB_CONFLICT',
      });
      expect(run.result['message']).toContain('is a file');
      expect(readFileSync(file, 'utf8')).toBe('mine');
    },
    LONG_MS,
  );

  it(
    'that lies below a file is exit 9',
    async () => {
      const file = join(bed.dir, 'in-the-way');
      writeFileSync(file, 'mine');
      const run = await bed.run(['pull', tree, join(file, 'deeper'), '--json']);
      expect({ exitCode: run.exitCode, ...run.result }).toMatchObject({ exitCode: 9 });
      expect(run.result['message']).toContain('in-the-way');
      expect(readFileSync(file, 'utf8')).toBe('mine');
    },
    LONG_MS,
  );

  // In sysfs nobody may make a folder, not even root.
  it(
    'that nobody may write is exit 5, and says which folder it is',
    async () => {
      const place = '/sys/waybill-test';
      const run = await bed.run(['pull', tree, place, '--json', ...SOON]);
      expect({ exitCode: run.exitCode, ...run.result }).toMatchObject({
        exitCode: 5,
        code: 'WB_PERMISSION_DENIED',
      });
      expect(run.result['message']).toContain(place);
    },
    LONG_MS,
  );

  it(
    'that is on a read-only file system is exit 7, and says that it is read-only',
    async () => {
      const place = join(bed.dir, 'read-only');
      mkdirSync(place);
      // A mount of its own, that nobody else sees; the service runs inside the command, and sees it too.
      const mount = 'mount -t tmpfs -o ro waybill "$0" && exec "$@"';
      const run = await bed.run(['pull', tree, join(place, 'a/b'), '--json'], {
        env: { WAYBILL_SERVICE: 'inline' },
        stateDir: join(bed.dir, 'inline'),
        runner: ['unshare', '--map-root-user', '--mount', 'sh', '-c', mount, place],
      });
      expect({ exitCode: run.exitCode, ...run.result }).toMatchObject({
        exitCode: 7,
        code: 'WB_NO_SPACE',
      });
      expect(run.result['message']).toContain('read-only');
      expect(run.result['message']).toContain(place);
    },
    LONG_MS,
  );

  it(
    'that holds a file of the user is exit 9, with its name, and nothing is touched',
    async () => {
      const place = join(bed.dir, 'conflict');
      mkdirSync(place);
      writeFileSync(join(place, 'a.txt'), 'mine');
      const run = await bed.run(['pull', tree, place, '--json']);
      expect({ exitCode: run.exitCode, ...run.result }).toMatchObject({
        exitCode: 9,
        code: 'WB_CONFLICT',
      });
      expect(run.result['message']).toContain('a.txt');
      expect(readFileSync(join(place, 'a.txt'), 'utf8')).toBe('mine');
    },
    LONG_MS,
  );
});
