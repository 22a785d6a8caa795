/** A pull that ends between the look at it and the word to it; a real Temporal, and nobody who works. */
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startPull } from '../../src/client/start.js';
import { startTemporal, type Temporal } from '../helpers/temporal.js';
import { newRequest } from '../workflows/lib/bench.js';

describe('a pull that is asked for again at the moment when it ends', () => {
  let temporal: Temporal;
  let connection: Connection;

  beforeAll(async () => {
    temporal = await startTemporal();
    connection = await Connection.connect({ address: temporal.address });
  }, 120_000);

  afterAll(async () => {
    await connection.close();
    await temporal.stop();
  });

  /** A client for which every run that it has looked at ends right after the look. */
  function clientThatComesLate(): Client {
    const client = new Client({ connection });
    const getHandle = client.workflow.getHandle.bind(client.workflow);
    client.workflow.getHandle = ((...args: Parameters<typeof getHandle>) => {
      const handle = getHandle(...args);
      const describeRun = handle.describe.bind(handle);
      handle.describe = async () => {
        const seen = await describeRun();
        if (seen.status.name === 'RUNNING') await handle.terminate('the test');
        return seen;
      };
      return handle;
    }) as typeof getHandle;
    return client;
  }

  it('is started anew, and not said to be unknown', async () => {
    const request = newRequest();
    const first = await startPull(new Client({ connection }), 'waybill', request, {});
    const second = await startPull(clientThatComesLate(), 'waybill', request, {});
    expect(second).toMatchObject({ pullId: first.pullId, joined: false });
    expect(second.runId).not.toBe(first.runId);
  });
});
