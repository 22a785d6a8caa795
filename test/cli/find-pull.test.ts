/** A pull that ends between the moment when it is found and the word to it; a real Temporal, and nobody who works. */
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sayTo } from '../../src/cli/find-pull.js';
import { WaybillClient, type PullSummary } from '../../src/client.js';
import { startTemporal, type Temporal } from '../helpers/temporal.js';
import { newRequest } from '../workflows/lib/bench.js';

let temporal: Temporal;
let connection: Connection;
let client: WaybillClient;

beforeAll(async () => {
  temporal = await startTemporal();
  const { address } = temporal;
  connection = await Connection.connect({ address });
  client = await WaybillClient.connect({ address });
}, 120_000);

afterAll(async () => {
  await client.close();
  await connection.close();
  await temporal.stop();
});

/** A pull as the list shows it that is a little behind. */
async function foundRunning(): Promise<PullSummary> {
  const { pullId, runId } = await client.startPull(newRequest());
  const startedAt = new Date().toISOString();
  return { pullId, runId, state: 'running', source: 's', destination: '/to', startedAt };
}

describe('a word to a pull that was found running', () => {
  it.each([
    ['tune', (id: string) => client.tune(id, { concurrency: 1 })],
    ['pause', (id: string) => client.pause(id)],
    ['cancel', (id: string) => client.cancel(id)],
  ])('%s: is said while it runs, and says that it has ended when it has', async (verb, word) => {
    await sayTo(client, await foundRunning(), verb, word);
    const found = await foundRunning();
    await new Client({ connection }).workflow.getHandle(found.pullId, found.runId).terminate();
    await expect(sayTo(client, found, verb, word)).rejects.toMatchObject({
      code: 'WB_USAGE',
      message: `the pull ${found.pullId} into /to has ended (failed); there is nothing to ${verb}`,
    });
  });

  it('leaves a pull that Temporal never knew unknown', async () => {
    const found = { ...(await foundRunning()), pullId: 'nobody' };
    await expect(sayTo(client, found, 'tune', (id) => client.tune(id, {}))).rejects.toMatchObject({
      code: 'WB_NOT_FOUND',
    });
  });
});
