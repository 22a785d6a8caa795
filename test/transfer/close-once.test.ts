/** A failed close is not tried again: on a busy host its number is another file's a moment later. */
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import * as actual from 'node:fs';
import { join } from 'node:path';
import { WaybillError } from '../../src/model/errors.js';
import { scratchFolder } from '../helpers/processes.js';

const closeSync = jest.fn<(fd: number) => void>();
jest.unstable_mockModule('node:fs', () => ({ ...actual, closeSync }));
const { closeQuietly, whileOpen } = await import('../../src/transfer/thread/close-once.js');

const path = join(scratchFolder('close'), 'partial');

/** Linux closes the file whatever it then reports (close(2)). */
function closeAndFail(fd: number): void {
  actual.closeSync(fd);
  throw Object.assign(new Error('EIO: i/o error, close'), { code: 'EIO' });
}

beforeEach(() => {
  closeSync.mockReset().mockImplementation(closeAndFail);
});

describe('a file that was written', () => {
  it('rule 14: a close that fails is a failed flush, and is not repeated', async () => {
    const fd = actual.openSync(path, 'w');
    const failed = await whileOpen(fd, path, () => Promise.resolve('written')).catch(
      (error: unknown) => error,
    );
    expect(failed).toBeInstanceOf(WaybillError);
    expect(failed).toMatchObject({ scope: 'destination', code: 'WB_DESTINATION_FAILED' });
    expect(closeSync.mock.calls).toEqual([[fd]]);
  });

  it('is closed once where its use failed, and tells of that failure', async () => {
    const fd = actual.openSync(path, 'w');
    const why = new Error('the source ended');
    await expect(whileOpen(fd, path, () => Promise.reject(why))).rejects.toBe(why);
    expect(closeSync.mock.calls).toEqual([[fd]]);
  });

  it('is closed quietly where the answer does not matter', () => {
    const fd = actual.openSync(path, 'w');
    expect(() => closeQuietly(fd)).not.toThrow();
    expect(closeSync.mock.calls).toEqual([[fd]]);
  });
});
