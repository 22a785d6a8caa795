/** Names and paths as long and as deep as they may be, and one more. */
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { verifyTree } from '../../src/transfer/verify.js';
import { sendAll, startCutServer, type CutServer } from '../helpers/cut-server.js';
import { digestsOfTree } from '../helpers/tree.js';
import { ThereBed } from '../helpers/there.js';

/** 255 bytes: of one, two, three and four to a character. */
const LONGEST = ['x'.repeat(255), `${'é'.repeat(127)}x`, '語'.repeat(85), `${'🚀'.repeat(63)}語`];
/** 15 names of 250 bytes: close to what a path may have, and with a root still under the kernel's 4,096. */
const LONG_PATH = Array.from({ length: 15 }, (_, index) => `${index % 10}`.repeat(250)).join('/');
const DEEP_PATH = `${'d/'.repeat(200)}model.bin`;

let bed: ThereBed;

beforeAll(async () => {
  bed = await ThereBed.open('extreme');
});
afterAll(() => bed.close());

const utf8 = (text: string): number => Buffer.byteLength(text);

describe('names and paths that are as long as they may be', () => {
  it('rule 21: arrive: 255 bytes in any alphabet, 3,764 bytes of path, 200 folders deep', async () => {
    expect(LONGEST.map(utf8)).toEqual([255, 255, 255, 255]);
    expect(utf8(LONG_PATH)).toBe(3_764);
    const paths = [...LONGEST, `${LONGEST[2]}/${LONGEST[3]}`, LONG_PATH, DEEP_PATH];
    paths.splice(2, 1);
    const { from, to } = await bed.fresh(Object.fromEntries(paths.map((path) => [path, path])));
    const result = await bed.pull(from, to);
    expect(result).toMatchObject({ ok: true, files: paths.length, failures: [] });
    expect(await digestsOfTree(to)).toEqual(await digestsOfTree(from));
    execFileSync('sha256sum', ['--strict', '--quiet', '-c', '.waybill/SHA256SUMS'], { cwd: to });
    expect(await verifyTree(to)).toMatchObject({ ok: true, files: paths.length });
  });

  it('rule 21: a path that is too long below this destination alone is exit 11, and the others come', async () => {
    const { from } = await bed.fresh({ [LONG_PATH]: 'long', good: 'good' });
    const root = join(bed.root, ...['r', 's'].map((letter) => letter.repeat(200)));
    const result = await bed.pull(from, root);
    expect(result).toMatchObject({
      ok: false,
      exitCode: 3,
      files: 1,
    });
    const codes = new Set(result.failures.map(({ code }) => code));
    expect([...codes]).toEqual(['WB_UNSAFE_PATH']);
    expect(result.failures.at(-1)?.message).toMatch(
      /refused: below this destination it would be \d+ bytes long, and the system takes 4095$/,
    );
    expect((await readdir(root)).sort()).toContain('good');
  });
});

describe('one more', () => {
  let server: CutServer;

  beforeAll(async () => {
    server = await startCutServer();
  });
  afterAll(() => server.stop());

  it.each([
    ['a name of 256 bytes', 'y'.repeat(256), 'a segment is longer than 255 bytes'],
    ['a name of 128 letters, 256 bytes', 'é'.repeat(128), 'a segment is longer than 255 bytes'],
    [
      'a path of 3,801 bytes',
      `${'z/'.repeat(100)}${`${'w'.repeat(199)}/`.repeat(18)}e`,
      'it is too long',
    ],
    ['257 folders', `${'d/'.repeat(256)}f`, 'it is nested deeper than 256 folders'],
  ])(
    'rule 21: %s is refused with exit 11, saying why, and the others come',
    async (what, name, why) => {
      const sum = createHash('sha256').update('x').digest('hex');
      server.serveRest(sendAll('x', { ETag: '"1"' }));
      server.serve('/SHA256SUMS', sendAll(`${sum}  ${name}\n${sum}  good\n`, { ETag: '"l"' }));
      const to = join(bed.root, what.replaceAll(' ', '-'));
      const result = await bed.pull(`${server.url}/SHA256SUMS`, to);
      expect(result).toMatchObject({ ok: false, exitCode: 3, files: 1, filesFailed: 1 });
      expect(result.failures).toMatchObject([{ code: 'WB_UNSAFE_PATH' }]);
      expect(result.failures[0]?.message).toMatch(/^the name ".*" is refused: /);
      expect(result.failures[0]?.message).toContain(why);
    },
  );
});
