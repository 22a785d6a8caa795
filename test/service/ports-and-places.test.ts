/** Where a service finds its database again: on another port where a stranger has its own, on this host where the state is not. */
import { rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { findService, stopService } from '../../src/service/find-or-start.js';
import { serviceFiles } from '../../src/service/service-files.js';
import { startFaultFs } from '../helpers/faultfs.js';
import { startTemporal } from '../helpers/temporal.js';
import { openServiceBed, type ServiceBed } from './service-bed.js';

const LONG_MS = 120_000;

let bed: ServiceBed;
afterEach(() => bed.close(), LONG_MS);

async function withClient<T>(address: string, work: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await work(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

/** Starts a service, leaves a workflow in its database, and ends it. */
async function leaveWorkflow(): Promise<string> {
  const { address, control, close } = await bed.start();
  await withClient(address, async (client) => {
    await client.workflow.start('nobodyRunsThis', { taskQueue: 'nowhere', workflowId: 'kept' });
  });
  await stopService(control, await control.status());
  await close();
  return address;
}

const portOf = (address: string): number => Number(address.split(':').at(-1));

describe('rule 8: the port of the database', () => {
  it(
    'is another one where a stranger has taken it, with the same database, and stays so',
    async () => {
      bed = openServiceBed();
      const before = await leaveWorkflow();
      const sockets: Socket[] = [];
      const stranger = createServer((socket) => {
        sockets.push(socket.on('error', () => undefined));
        socket.end('HTTP/1.1 200 OK\r\n\r\n');
      });
      await new Promise<void>((resolve) =>
        stranger.listen(portOf(before), '127.0.0.1', () => resolve()),
      );
      const { address, control, close } = await bed.start();
      expect(address).not.toBe(before);
      await withClient(address, async (client) => {
        const { status } = await client.workflow.getHandle('kept').describe();
        expect(status.name).toBe('RUNNING');
      });
      await stopService(control, await control.status());
      await close();
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => stranger.close(() => resolve()));
      expect((await bed.start()).address).toBe(address);
    },
    LONG_MS,
  );

  it(
    'of another Temporal is not passed by: it may have the same database open; the message says what to do',
    async () => {
      bed = openServiceBed();
      const before = await leaveWorkflow();
      const other = await startTemporal({ port: portOf(before) });
      try {
        await expect(bed.start()).rejects.toMatchObject({
          code: 'WB_TEMPORAL_UNREACHABLE',
          message: expect.stringMatching(
            /A Temporal server that this Waybill did not record listens on 127\.0\.0\.1:\d+.*End that server, or use another WAYBILL_STATE_DIR/,
          ) as unknown,
        });
        expect(await findService(bed.stateDir)).toBeUndefined();
      } finally {
        await other.stop();
      }
      expect((await bed.start()).address).toBe(before);
    },
    LONG_MS,
  );
});

describe('rule 8: a state folder on a file system that other hosts may share', () => {
  it(
    'has its database in a folder of this host, which is said once',
    async () => {
      const disk = await startFaultFs();
      bed = openServiceBed(`${disk.path}/state`);
      const { folder } = serviceFiles(bed.stateDir);
      try {
        expect(folder).not.toContain(disk.path);
        await leaveWorkflow();
        const { address } = await bed.start();
        await withClient(address, (client) => client.workflow.getHandle('kept').describe());
        const said = bed.progress.filter((line) => line.includes('network file system'));
        expect(said).toEqual([expect.stringContaining(`keeps its database in ${folder}`)]);
      } finally {
        await bed.close();
        await disk.stop();
        rmSync(folder, { recursive: true, force: true });
      }
    },
    LONG_MS,
  );
});
