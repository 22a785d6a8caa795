/** What a start asks of Temporal, and a pull that ends between the look at it and the word to it; a real Temporal, and nobody who works. */
import { Client, Connection, type ConnectionOptions } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startPull } from '../../src/client/start.js';
import type { PullRequest } from '../../src/model/pull.js';
import { startTemporal, type Temporal } from '../helpers/temporal.js';
import { newRequest } from '../workflows/lib/bench.js';

type ConnectionInterceptor = NonNullable<ConnectionOptions['interceptors']>[number];

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

describe('a pull of what nobody pulls', () => {
  /** The calls of Temporal that a start makes. */
  async function callsOf(request: PullRequest): Promise<string[]> {
    const calls: string[] = [];
    const heard = await Connection.connect({
      address: temporal.address,
      interceptors: [
        (options, nextCall) => {
          calls.push(options.method_definition.path.replace(/.*\//u, ''));
          return nextCall(options) as ReturnType<ConnectionInterceptor>;
        },
      ],
    });
    calls.length = 0;
    try {
      await startPull(new Client({ connection: heard }), 'waybill', request, { tuning: {} });
    } finally {
      await heard.close();
    }
    return calls.filter((name) => !name.endsWith('TaskQueue'));
  }

  it('is started without a look at its own run', async () => {
    expect(await callsOf(newRequest())).toEqual(['StartWorkflowExecution']);
  });

  it('in a folder, is started after one look at the pull of the whole folder', async () => {
    const request = newRequest();
    const destination = { ...request.destination, isFolder: true };
    expect(await callsOf({ ...request, destination })).toEqual([
      'DescribeWorkflowExecution',
      'StartWorkflowExecution',
    ]);
  });
});

describe('a pull that is asked for again at the moment when it ends', () => {
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
