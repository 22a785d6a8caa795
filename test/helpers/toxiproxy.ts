/**
 * Toxiproxy: a TCP proxy before a real server that misbehaves as it is told. In a test:
 *
 *     const toxiproxy = await startToxiproxy();
 *     const proxy = await toxiproxy.before(nginx.port);
 *     await proxy.add('limit_data', { bytes: 5_000_000 });      // holds for connections opened from now on
 *     ... http://127.0.0.1:${proxy.port}/ ...
 *     await proxy.setUp(false);                                 // nobody listens, open connections end
 *     await toxiproxy.stop();
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { goInstall } from '../../src/service/go-install.js';
import { withInstallLock } from '../../src/service/install-lock.js';
import { cacheFolder } from './cache.js';
import { freePort } from './ports.js';
import { scratchFolder, startProcess } from './processes.js';
import type { ServerProcess } from './processes.js';

const VERSION = 'v2.5.0';

/** Chance decides which connections are hit: the same ones in every run. */
const SEED = '20260101';

/** What it can do to a connection: https://github.com/Shopify/toxiproxy#toxics */
export type ToxicName =
  'latency' | 'bandwidth' | 'slow_close' | 'timeout' | 'reset_peer' | 'slicer' | 'limit_data';

export interface ToxicProxy {
  readonly port: number;
  /** Adds a toxic to what comes from the server. `toxicity`: for which part of the connections, default all. */
  add(type: ToxicName, attributes: Record<string, number>, toxicity?: number): Promise<void>;
  /** Takes a toxic back: what is under way goes on without it. */
  remove(type: ToxicName): Promise<void>;
  /** Down: connections are refused and open ones end. */
  setUp(isUp: boolean): Promise<void>;
}

export interface Toxiproxy extends ServerProcess {
  /** A new proxy on a free port before a port of 127.0.0.1. */
  before(port: number): Promise<ToxicProxy>;
}

/** Where the binary lies in the cache. */
export function toxiproxyPath(): string {
  return join(cacheFolder(), 'bin', `toxiproxy-${VERSION}`);
}

/** The binary in the cache, built with Go when it is not there: about 20 seconds, once. */
export async function ensureToxiproxy(onProgress: (line: string) => void): Promise<string> {
  const target = toxiproxyPath();
  if (existsSync(target)) return target;
  await mkdir(join(cacheFolder(), 'bin'), { recursive: true });
  const onWait = (pid: number): void => onProgress(`Toxiproxy: waiting for process ${pid}`);
  await withInstallLock({ path: `${target}.lock`, onWait }, async () => {
    if (existsSync(target)) return;
    const source = `github.com/Shopify/toxiproxy/v2/cmd/server@${VERSION}`;
    await goInstall({ package: source, target, name: 'Toxiproxy', packageCount: 180, onProgress });
  });
  return target;
}

/** Starts it without proxies. */
export async function startToxiproxy(): Promise<Toxiproxy> {
  const command = await ensureToxiproxy((line) => process.stderr.write(`${line}\n`));
  const port = await freePort();
  const api = `http://127.0.0.1:${port}`;
  const ask = async (path: string, body?: object): Promise<void> => {
    const asked =
      body === undefined ? { method: 'DELETE' } : { method: 'POST', body: JSON.stringify(body) };
    const answer = await fetch(`${api}${path}`, asked);
    if (!answer.ok) throw new Error(`Toxiproxy ${path}: ${answer.status} ${await answer.text()}`);
    await answer.arrayBuffer();
  };
  const server = await startProcess({
    name: 'Toxiproxy',
    command,
    args: ['-host', '127.0.0.1', '-port', String(port), '-seed', SEED],
    dir: scratchFolder('toxiproxy'),
    isReady: async () => (await fetch(`${api}/version`)).ok,
  });
  let count = 0;
  return {
    ...server,
    before: async (upstream) => {
      const listen = await freePort();
      const name = `proxy-${(count += 1)}`;
      await ask('/proxies', {
        name,
        listen: `127.0.0.1:${listen}`,
        upstream: `127.0.0.1:${upstream}`,
        enabled: true,
      });
      return {
        port: listen,
        add: (type, attributes, toxicity = 1) =>
          ask(`/proxies/${name}/toxics`, { type, stream: 'downstream', toxicity, attributes }),
        // Its name is made of its type.
        remove: (type) => ask(`/proxies/${name}/toxics/${type}_downstream`),
        setUp: (enabled) => ask(`/proxies/${name}`, { enabled }),
      };
    },
  };
}
