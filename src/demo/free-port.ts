import { createServer } from 'node:net';
import { WaybillError } from '../model/errors.js';

/** A TCP port of 127.0.0.1 that was free a moment ago; the system does not give it out again at once. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  if (address === null || typeof address === 'string') {
    throw new WaybillError('WB_UNEXPECTED', 'the system gave no port');
  }
  return address.port;
}
