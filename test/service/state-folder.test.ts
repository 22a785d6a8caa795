/** A state folder where no folder can be made. */
import { describe, expect, it } from '@jest/globals';
import { runWaybill } from '../helpers/waybill.js';

describe('a state folder below /proc, where nothing can be made', () => {
  it.each([
    ['status', ['status']],
    ['a pull', ['pull', 'http://127.0.0.1:9/model.bin', '/tmp/never-made']],
  ])('is told at once by %s', async (_, args) => {
    const run = await runWaybill(args, { stateDir: '/proc/waybill/state', timeoutMs: 60_000 });
    expect(run.exitCode).toBe(2);
    expect(run.stderr).toContain('nothing can be made in /proc');
    expect(run.stderr).toContain('WAYBILL_STATE_DIR');
  });
});
