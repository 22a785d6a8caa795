import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { toDestinationError } from '../../src/transfer/destination-error.js';
import {
  makeFolderDurably,
  readJson,
  removeDurably,
  writeFileDurably,
} from '../../src/transfer/durable-file.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-durable-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('durable files', () => {
  it('rule 10: replaces a file as a whole and leaves nothing beside it', async () => {
    const path = join(folder, 'file');
    await writeFileDurably(path, 'old');
    const pieces = function* (): Generator<string | Uint8Array> {
      for (let index = 0; index < 20_000; index += 1)
        yield index % 2 ? 'text ' : Buffer.alloc(50, 'b');
    };
    await writeFileDurably(path, pieces());
    expect(readFileSync(path).length).toBe(10_000 * 55);
    expect(readdirSync(folder)).toEqual(['file']);
  });

  it('rule 10: a content that fails leaves the old file and no temporary', async () => {
    const path = join(folder, 'file');
    await writeFileDurably(path, 'old');
    const failing = async function* (): AsyncGenerator<string> {
      yield 'new';
      await Promise.reject(new Error('the content failed'));
    };
    await expect(writeFileDurably(path, failing())).rejects.toThrow('the content failed');
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['file']);
  });

  it('says what could not be written, and why', async () => {
    await expect(writeFileDurably(join(folder, 'no', 'file'), 'x')).rejects.toMatchObject({
      code: 'WB_DESTINATION_NOT_HERE',
    });
    mkdirSync(join(folder, 'taken'));
    await expect(writeFileDurably(join(folder, 'taken'), 'x')).rejects.toMatchObject({
      code: 'WB_CONFLICT',
      message: /cannot write .*taken: a folder is where a file should be \(EISDIR\)/,
    });
    expect(readdirSync(folder)).toEqual(['taken']);
  });

  it('rule 18: a full disk is one event of the destination, not of a file', async () => {
    const full = await writeFile('/dev/full', 'x').catch((error: unknown) => error);
    expect(toDestinationError(full, 'write', '/dev/full')).toMatchObject({
      code: 'WB_NO_SPACE',
      scope: 'destination',
      message: 'cannot write /dev/full: the disk is full (ENOSPC)',
    });
  });

  it('makes folders with their ancestors and removes files that may not be there', async () => {
    await makeFolderDurably(join(folder, 'a', 'b', 'c'));
    await makeFolderDurably(join(folder, 'a', 'b', 'c'));
    expect(existsSync(join(folder, 'a', 'b', 'c'))).toBe(true);
    await removeDurably(join(folder, 'a', 'nothing'));
  });

  it('reads JSON that fits, and says what is wrong with the rest', async () => {
    const schema = z.object({ epoch: z.int() });
    const path = join(folder, 'owner.json');
    expect(await readJson(path, schema)).toBeUndefined();
    writeFileSync(path, '{"epoch":3}');
    expect(await readJson(path, schema)).toEqual({ epoch: 3 });
    writeFileSync(path, '{"epoch":');
    await expect(readJson(path, schema)).rejects.toMatchObject({ code: 'WB_LOCAL_DAMAGE' });
    writeFileSync(path, '{"epoch":"x"}');
    await expect(readJson(path, schema)).rejects.toThrow(/is damaged: epoch/);
    await expect(readJson(path, schema, { maxBytes: 3 })).rejects.toThrow(/longer than 3 bytes/);
  });
});

describe('making a folder', () => {
  it('below a file system that takes none ends, and says so', async () => {
    await expect(makeFolderDurably('/proc/waybill-test/deep/er')).rejects.toMatchObject({
      code: 'WB_PERMISSION_DENIED',
      message: 'cannot make /proc/waybill-test: the file system of /proc takes no folders',
    });
  });
});
