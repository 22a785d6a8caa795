/**
 * What somebody else on the host can try: run under another user id with `{stateDir, address, destination}` as its argument. It
 * says on stdout how each try went.
 */
import { Client, Connection } from '@temporalio/client';
import { readdirSync, readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import * as z from 'zod';
import { PROTOCOL } from '../../../src/model/pull.js';
import { serviceFiles } from '../../../src/service/service-files.js';

const given = z
  .object({ stateDir: z.string(), address: z.string(), destination: z.string() })
  .parse(JSON.parse(process.argv[2] ?? ''));

function outcomeOf(act: () => unknown): string {
  try {
    act();
    return 'worked';
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

function connect(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once('connect', () => (socket.destroy(), resolve('worked')));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)));
  });
}

/** A request as a command would make it, to read a file of the owner's into a place that this user can read. */
async function startPull(): Promise<string> {
  const connection = await Connection.connect({ address: given.address });
  const client = new Client({ connection });
  const workflowId = 'by-a-neighbour';
  const request = {
    protocol: PROTOCOL,
    source: { uri: join(given.stateDir, 'payloads.key'), settings: {} },
    destination: { path: given.destination, isFolder: false },
    filters: { include: [], exclude: [] },
    ifExists: 'overwrite',
    requireLevel: 'none',
    acceptUnprovenLength: false,
    ...{ checksum: false, prune: false, reread: false, replaceSource: false, takeOver: false },
  };
  const args = [{ pullId: workflowId, request, transferQueue: 'waybill-transfer' }];
  const handle = await client.workflow.start('pull', { workflowId, taskQueue: 'waybill', args });
  const outcome = await handle.result().then(
    () => 'worked',
    (error: { cause?: { type?: string } }) => String(error.cause?.type),
  );
  await connection.close();
  return outcome;
}

const files = serviceFiles(given.stateDir);
const { controlSocket, payloadKey, fingerprintKey, record } = files;
const { serviceLog, temporalLog, workerLog } = files;
const paths = { payloadKey, fingerprintKey, record, serviceLog, temporalLog, workerLog };
const read = Object.entries(paths).map(([name, path]) => [
  name,
  outcomeOf(() => readFileSync(path)),
]);
process.stdout.write(
  JSON.stringify({
    userId: process.getuid?.(),
    list: outcomeOf(() => readdirSync(given.stateDir)),
    read: Object.fromEntries(read) as unknown,
    connect: await connect(controlSocket),
    start: await startPull(),
  }),
);
