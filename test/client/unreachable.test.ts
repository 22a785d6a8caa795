import { describe, expect, it } from '@jest/globals';
import { WaybillClient } from '../../src/client.js';
import { freePort } from '../helpers/ports.js';

describe('a client without a Temporal', () => {
  it('says within its time-out that Temporal cannot be reached, exit code 10', async () => {
    const address = `127.0.0.1:${await freePort()}`;
    const connecting = WaybillClient.connect({ address, connectTimeoutMs: 1_000 });
    await expect(connecting).rejects.toMatchObject({
      code: 'WB_TEMPORAL_UNREACHABLE',
      exitCode: 10,
      message: expect.stringContaining(address),
    });
  });
});
