/** Thousands of files are described over a few connections, also by servers that do not know what a HEAD is. */
import { rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { startAskedFor } from '../../helpers/asked-for.js';
import { scratchFolder } from '../../helpers/processes.js';
import { treeFiles, writeTree } from '../../helpers/tree.js';
import { MAX_CONNECTIONS } from '../../../src/stores/http/store.js';
import { openHttpStore, startNginx } from './servers.js';

it('asks a server about 500 files over the connections that it has', async () => {
  const folder = scratchFolder('heads');
  const files = treeFiles({ fileCount: 500, names: [] });
  await writeTree(join(folder, 'tree'), files);
  const nginx = await startNginx({ root: folder });
  const relay = await startAskedFor(nginx.port);
  const store = await openHttpStore(`${relay.url}/tree/`);
  try {
    const found = await Promise.all(files.map(({ path }) => store.stat(path)));
    expect(found.map(({ sizeBytes }) => sizeBytes)).toEqual(
      files.map(({ sizeBytes }) => sizeBytes),
    );
    expect(relay.requests().filter((line) => line.startsWith('HEAD '))).toHaveLength(500);
    expect(relay.connections()).toBeLessThanOrEqual(MAX_CONNECTIONS);
  } finally {
    await store.close();
    await relay.stop();
    await nginx.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Answers everything with its head and a body, a HEAD too, in two packets. */
function startCareless(): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      const path = /^HEAD \/(\d+) /u.exec(chunk.toString('latin1'))?.[1];
      if (path === undefined) return;
      const body = 'x'.repeat(Number(path));
      socket.write(
        `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nETag: "e${path}"\r\nConnection: keep-alive\r\n\r\n`,
      );
      setImmediate(() => socket.write(body));
    });
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

it('describes each file rightly where a server sends a body after a HEAD', async () => {
  const server = await startCareless();
  const { port } = server.address() as AddressInfo;
  const store = await openHttpStore(`http://127.0.0.1:${port}/`);
  try {
    const sizes = Array.from({ length: 200 }, (_, index) => index + 1);
    const found = await Promise.all(sizes.map((size) => store.stat(String(size))));
    expect(found.map(({ sizeBytes }) => sizeBytes)).toEqual(sizes);
    expect(found.map(({ pin }) => pin?.value)).toEqual(sizes.map((size) => `etag:"e${size}"`));
  } finally {
    await store.close();
    await new Promise((resolve) => server.close(resolve));
  }
});
