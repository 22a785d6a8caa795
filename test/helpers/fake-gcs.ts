/**
 * A real fake-gcs-server: Cloud Storage's JSON API over objects in memory. In a test:
 *
 *     const google = await startFakeGcs();
 *     await google.createBucket('models');
 *     await google.putTree('models', 'churn/1', folder);
 *     ... gs://models/churn/1 with google.env as the environment ...
 *     await google.stop();
 *
 * Where it differs from Google's own service, as measured at v1.56.1: it checks no token; it ignores `fields`, ifGenerationMatch and
 * the names' rules (no CR or LF); a 404 says "Not Found" and not what is missing; `maxResults` counts objects only, so that a
 * prefix comes with the first page that it is above; a composed object has an MD5; an ETag is the MD5. What hangs on one of
 * these is tested against scripted answers (test/stores/gcs/answers.test.ts). It does honour generation, Range, pageToken,
 * delimiter, endings in a slash, Accept-Encoding, and the hashes of the stored bytes.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { goInstall } from '../../src/service/go-install.js';
import { withInstallLock } from '../../src/service/install-lock.js';
import { cacheFolder } from './cache.js';
import { freePort } from './ports.js';
import { scratchFolder, startProcess } from './processes.js';
import type { ServerProcess } from './processes.js';

const VERSION = 'v1.56.1';
const PUTS_AT_ONCE = 16;

/** Where the binary lies in the cache. */
export function fakeGcsPath(): string {
  return join(cacheFolder(), 'bin', `fake-gcs-server-${VERSION}`);
}

/** The binary in the cache, built with Go when it is not there: about a minute, once. */
export async function ensureFakeGcs(onProgress: (line: string) => void): Promise<string> {
  const target = fakeGcsPath();
  if (existsSync(target)) return target;
  await mkdir(join(cacheFolder(), 'bin'), { recursive: true });
  const onWait = (pid: number): void => onProgress(`fake-gcs-server: waiting for process ${pid}`);
  await withInstallLock({ path: `${target}.lock`, onWait }, async () => {
    if (existsSync(target)) return;
    await goInstall({
      package: `github.com/fsouza/fake-gcs-server@${VERSION}`,
      target,
      name: 'fake-gcs-server',
      packageCount: 460,
      onProgress,
    });
  });
  return target;
}

export interface FakeGcs extends ServerProcess {
  /** `http://127.0.0.1:PORT`, or https. */
  readonly endpoint: string;
  /** The same over HTTP, whatever its clients speak. */
  readonly plainEndpoint: string;
  readonly port: number;
  /** What a client of this server has in its environment. */
  readonly env: Readonly<Record<string, string>>;
  createBucket(bucket: string, options?: { versioning?: boolean }): Promise<void>;
  /** Puts one object; `contentEncoding` says how the bytes are packed already. */
  putObject(
    bucket: string,
    name: string,
    body: Buffer | string,
    options?: { contentEncoding?: string },
  ): Promise<void>;
  deleteObject(bucket: string, name: string): Promise<void>;
  /** Puts every file below `dir` under `<prefix>/`. */
  putTree(bucket: string, prefix: string, dir: string): Promise<void>;
}

export interface FakeGcsOptions {
  /** Speaks TLS with this certificate; who talks to it has to trust it. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
}

/** Starts one without buckets on a free port. */
export async function startFakeGcs({ tls }: FakeGcsOptions = {}): Promise<FakeGcs> {
  const command = await ensureFakeGcs((line) => process.stderr.write(`${line}\n`));
  const [port, plainPort] = [await freePort(), await freePort()];
  // The tests put and look over plain HTTP, whatever its clients speak.
  const own = `http://127.0.0.1:${tls === undefined ? port : plainPort}`;
  const scheme =
    tls === undefined
      ? ['-scheme', 'http']
      : [
          ...['-scheme', 'both', '-port-http', String(plainPort)],
          ...['-cert-location', tls.certFile, '-private-key-location', tls.keyFile],
        ];
  const server = await startProcess({
    name: 'fake-gcs-server',
    command,
    args: [
      ...['-backend', 'memory', '-host', '127.0.0.1', '-port', String(port)],
      ...['-log-level', 'warn', ...scheme],
    ],
    dir: scratchFolder('fake-gcs'),
    isReady: async () => (await fetch(`${own}/_internal/healthcheck`)).ok,
  });
  const ask = async (
    method: string,
    path: string,
    body?: string | Uint8Array<ArrayBuffer>,
  ): Promise<void> => {
    const answer = await fetch(`${own}${path}`, {
      method,
      ...(body === undefined ? {} : { body }),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    await answer.arrayBuffer();
  };
  const putObject: FakeGcs['putObject'] = (bucket, name, body, { contentEncoding } = {}) => {
    const encoding = contentEncoding === undefined ? '' : `&contentEncoding=${contentEncoding}`;
    const query = `uploadType=media&name=${encodeURIComponent(name)}${encoding}`;
    const bytes = typeof body === 'string' ? body : new Uint8Array(body);
    return ask('POST', `/upload/storage/v1/b/${bucket}/o?${query}`, bytes);
  };
  const endpoint = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  return {
    ...server,
    endpoint,
    plainEndpoint: own,
    port,
    env: { STORAGE_EMULATOR_HOST: endpoint },
    createBucket: (bucket, { versioning = false } = {}) =>
      ask(
        'POST',
        '/storage/v1/b',
        JSON.stringify({ name: bucket, versioning: { enabled: versioning } }),
      ),
    putObject,
    deleteObject: (bucket, name) =>
      ask('DELETE', `/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}`),
    putTree: async (bucket, prefix, dir) => {
      const files = (await readdir(dir, { recursive: true, withFileTypes: true })).filter((entry) =>
        entry.isFile(),
      );
      await inLanes(files, async (entry) => {
        const path = join(entry.parentPath, entry.name);
        const name = [prefix, path.slice(dir.length + 1)].filter((part) => part !== '').join('/');
        await putObject(bucket, name, await readFile(path));
      });
    },
  };
}

/** Does something with each of many, a few at a time. */
export async function inLanes<T>(
  items: readonly T[],
  put: (item: T) => Promise<void>,
): Promise<void> {
  const next = items.values();
  const lane = async (): Promise<void> => {
    for (const item of next) await put(item);
  };
  await Promise.all(Array.from({ length: PUTS_AT_ONCE }, lane));
}
