/** The web servers that the http store is tested on, each as a testbed of the conformance suite. */
import { mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { http } from '../../../src/stores/http/index.js';
import type { Store } from '../../../src/stores/store.js';
import { startApache } from '../../helpers/apache.js';
import { startNginx } from '../../helpers/nginx.js';
import { freePort } from '../../helpers/ports.js';
import { acceptsConnections, scratchFolder, startProcess } from '../../helpers/processes.js';
import type { Seed, Testbed } from '../conformance/testbed.js';

/** A server before a folder. */
export interface WebServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts `python3 -m http.server` on a free port. */
export async function startPythonServer({ root }: { root: string }): Promise<WebServer> {
  const port = await freePort();
  const dir = scratchFolder('python-http');
  const server = await startProcess({
    name: 'Python',
    command: 'python3',
    // Of its own it lets five wait for it, and who comes next comes again after a second.
    args: [
      '-c',
      'import runpy, socketserver; socketserver.TCPServer.request_queue_size = 128; ' +
        "runpy.run_module('http.server', run_name='__main__')",
      ...[String(port), '--bind', '127.0.0.1', '--directory', root],
    ],
    dir,
    isReady: () => acceptsConnections(port),
  });
  return { port, stop: () => server.stop() };
}

/** Opens an address without settings, with secrets if given. */
export function openHttpStore(
  uri: string,
  secrets: Record<string, string> = {},
  settings: Record<string, string> = {},
): Promise<Store> {
  return http.open({ uri, settings: { WAYBILL_STALL_TIMEOUT: '20s', ...settings }, secrets });
}

let clock = 0;

/** Writes files below a folder; each gets another time, long ago: servers make ETags of whole seconds. */
export async function seedFolder(root: string, seeds: readonly Seed[]): Promise<void> {
  for (const seed of seeds) {
    const target = join(root, seed.path);
    await mkdir('folder' in seed ? target : dirname(target), { recursive: true });
    if ('folder' in seed) continue;
    await writeFile(target, seed.bytes);
    clock += 1;
    const when = Date.UTC(2026, 0, 1) / 1_000 + clock;
    await utimes(target, when, when);
  }
}

/** A testbed on a server that serves a folder. Paths of `at` with an extension are files, others folders. */
export async function webTestbed(
  start: (options: { root: string }) => Promise<WebServer>,
  secrets: Readonly<Record<string, string>> = {},
): Promise<Testbed> {
  const root = scratchFolder('http-conformance');
  const server = await start({ root });
  const address = { host: '127.0.0.1', port: server.port };
  return {
    address,
    secrets: Object.values(secrets).filter((value) => value.length > 3),
    open: ({ at = '', via = address, wrongCredentials = false } = {}) => {
      const isFile = /\.[a-z]+$/u.test(at) || at === '';
      const uri = `http://${via.host}:${via.port}/${at}${isFile || at.endsWith('/') ? '' : '/'}`;
      return openHttpStore(
        uri,
        wrongCredentials ? { username: 'eve', password: 'guess' } : secrets,
      );
    },
    seed: (seeds) => seedFolder(root, seeds),
    stop: async () => {
      await server.stop();
      await rm(root, { recursive: true });
    },
  };
}

export { startApache, startNginx };
