/** `--reread` on a real disk: an ext4 on a loop device, whose image is damaged below the kernel's page cache. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TransferEngine } from '../../src/transfer/api.js';
import type { ManifestEntry, Receipt } from '../../src/manifest/index.js';
import { Cell } from '../../src/transfer/thread/cell.js';
import { readBack } from '../../src/transfer/thread/read-back.js';
import { contextOf, engineOf, pullWith, requestOf, scratch } from '../helpers/engine.js';

const MiB = 1024 * 1024;
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

let base: string;
let image: string;
let disk: string;
let engine: TransferEngine;
let server: Served;

beforeAll(async () => {
  base = await scratch('reread');
  image = join(base, 'image');
  disk = join(base, 'disk');
  mkdirSync(disk);
  writeFileSync(image, '');
  truncateSync(image, 160 * MiB);
  execFileSync('mkfs.ext4', ['-q', '-F', image]);
  execFileSync('mount', ['-o', 'loop', image, disk]);
  engine = engineOf();
  server = await serve();
});

afterAll(async () => {
  await engine.close();
  await server.stop();
  execFileSync('umount', ['-l', disk]);
  rmSync(base, { recursive: true, force: true });
});

/** Flips a bit of the image where it holds these bytes, as a disk that keeps something else does. */
function damageOnDisk(bytes: Buffer): void {
  const at = readFileSync(image).indexOf(bytes.subarray(0, 4096));
  expect(at).toBeGreaterThan(0);
  const fd = openSync(image, 'r+');
  writeSync(fd, Buffer.from([bytes.readUInt8(100) ^ 1]), 0, 1, at + 100);
  closeSync(fd);
}

/** What the disk has, whatever the page cache holds. */
function afterRemount(path: string): Buffer {
  execFileSync('umount', [disk]);
  execFileSync('mount', ['-o', 'loop', image, disk]);
  return readFileSync(path);
}

async function readBackOne(path: string) {
  const [outcome] = await readBack({ cell: new Cell().memory, paths: [path] });
  return outcome;
}

describe('reading back', () => {
  it.each([0, 1, 511, 4_096, 4_097, 3 * MiB, 3 * MiB + 1])(
    'hashes a file of %d bytes past the page cache',
    async (sizeBytes) => {
      const path = join(disk, `size-${sizeBytes}`);
      const bytes = randomBytes(sizeBytes);
      writeFileSync(path, bytes, { flush: true });
      expect(await readBackOne(path)).toEqual({ kind: 'read', sha256: sha256(bytes) });
    },
  );

  it('sees what the disk has, where an ordinary read still sees what was written', async () => {
    const path = join(disk, 'damaged');
    const bytes = randomBytes(2 * MiB);
    writeFileSync(path, bytes, { flush: true });
    damageOnDisk(bytes);
    expect(sha256(readFileSync(path))).toBe(sha256(bytes));
    const outcome = await readBackOne(path);
    expect(outcome).toMatchObject({ kind: 'read' });
    expect(outcome).not.toMatchObject({ sha256: sha256(bytes) });
    expect(outcome).toMatchObject({ sha256: sha256(afterRemount(path)) });
  });

  it('says so where the page cache cannot be passed by', async () => {
    const path = join('/dev/shm', `waybill-reread-${process.pid}`);
    writeFileSync(path, 'in memory');
    const outcome = await readBackOne(path);
    rmSync(path);
    expect(outcome).toEqual({
      kind: 'read',
      sha256: sha256(Buffer.from('in memory')),
      why: expect.stringContaining('tmpfs'),
    });
  });

  it('follows no link, and says of a file that is gone that it failed', async () => {
    symlinkSync('damaged', join(disk, 'link'));
    for (const name of ['link', 'nothing']) {
      expect(await readBackOne(join(disk, name))).toMatchObject({ kind: 'failed' });
    }
  });
});

interface Served {
  readonly url: string;
  readonly files: Map<string, Buffer>;
  /** Answers whose last byte is held back. */
  readonly held: { release: () => void }[];
  isHolding: boolean;
  readonly gets: string[];
  stop(): Promise<void>;
}

async function serve(): Promise<Served> {
  const files = new Map<string, Buffer>();
  const held: { release: () => void }[] = [];
  const served = { isHolding: true };
  const gets: string[] = [];
  const http = createServer((request, response) => {
    const name = (request.url ?? '/').slice(1);
    const bytes = files.get(name);
    if (bytes === undefined) return void response.writeHead(404).end();
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const start = Number(range?.[1] ?? 0);
    const end = range?.[2] ? Number(range[2]) + 1 : bytes.length;
    response.writeHead(range ? 206 : 200, {
      etag: '"v1"',
      'content-length': end - start,
      ...(range ? { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` } : {}),
    });
    if (request.method === 'HEAD') return void response.end();
    gets.push(name);
    const isLast = end === bytes.length && name !== 'SHA256SUMS';
    if (!isLast || !served.isHolding) return void response.end(bytes.subarray(start, end));
    response.write(bytes.subarray(start, end - 1));
    held.push({ release: () => response.end(bytes.subarray(end - 1)) });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return Object.assign(served, {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    files,
    held,
    gets,
    stop: () => new Promise<void>((resolve) => http.close(() => resolve())),
  });
}

async function until<T>(find: () => T | undefined | false, what: string): Promise<T> {
  for (const end = Date.now() + 120_000; ;) {
    const found = find();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await sleep(10);
  }
}

describe('rule 17: a pull with --reread', () => {
  /** The partial that holds these bytes at its start by now; null before. */
  const partialOf = (recordDir: string, bytes: Buffer): string | undefined => {
    const folder = join(recordDir, 'partial');
    const names = existsSync(folder) ? readdirSync(folder) : [];
    return names
      .map((name) => join(folder, name))
      .find((path) => readFileSync(path).subarray(0, MiB).equals(bytes.subarray(0, MiB)));
  };

  /** Pulls; the disk loses a bit of the first bytes once they are on it, while others are still coming. */
  async function pullOntoDamage(name: string, reread: boolean) {
    const to = join(disk, `${name}-${reread}`);
    const bytes = randomBytes(name === 'large' ? 34 * MiB : 3 * MiB);
    server.files.set(name, bytes);
    server.files.set('SHA256SUMS', Buffer.from(`${sha256(bytes)}  ${name}\n`));
    server.isHolding = true;
    server.gets.length = 0;
    const request = requestOf(`${server.url}/SHA256SUMS`, to, { reread });
    const pulling = pullWith(engine, request, undefined, contextOf(), 3);
    await until(() => server.held.length > 0, 'the held answer');
    const path = await until(() => partialOf(join(to, '.waybill'), bytes), 'the partial');
    const fd = openSync(path, 'r');
    fsyncSync(fd);
    closeSync(fd);
    damageOnDisk(bytes);
    server.isHolding = false;
    for (const { release } of server.held.splice(0)) release();
    const result = await pulling;
    const gets = server.gets.filter((get) => get === name).length;
    const manifest = readFileSync(join(to, '.waybill/manifest.ndjson'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as ManifestEntry);
    const receipt = JSON.parse(readFileSync(join(to, '.waybill/receipt.json'), 'utf8')) as Receipt;
    return { result, gets, manifest, receipt, bytes, onDisk: afterRemount(join(to, name)) };
  }

  it.each(['small', 'large'])(
    'fetches a %s file again that the disk did not keep, and records what was read back',
    async (name) => {
      const pulled = await pullOntoDamage(name, true);
      expect(pulled.result).toMatchObject({ ok: true, warnings: [] });
      expect(sha256(pulled.onDisk)).toBe(sha256(pulled.bytes));
      expect(pulled.gets).toBeGreaterThan(name === 'large' ? 3 : 1);
      expect(pulled.manifest.every(({ readBack: how }) => how === 'disk')).toBe(true);
      expect(pulled.receipt.readBack).toEqual({ disk: pulled.manifest.length, cache: 0 });
    },
    240_000,
  );

  it('without it the same damage is not seen: that is what it is for', async () => {
    const pulled = await pullOntoDamage('unseen', false);
    expect(pulled.result).toMatchObject({ ok: true });
    expect(sha256(pulled.onDisk)).not.toBe(sha256(pulled.bytes));
    expect(pulled.receipt.readBack).toBeUndefined();
  });

  it('fetches a file that is in place again when the disk has lost it since', async () => {
    const to = join(disk, 'kept');
    const files = new Map([1, 2, 3].map((number) => [`kept-${number}`, randomBytes(MiB)]));
    const list = [...files].map(([name, bytes]) => `${sha256(bytes)}  ${name}\n`).join('');
    for (const [name, bytes] of files) server.files.set(name, bytes);
    server.files.set('SHA256SUMS', Buffer.from(list));
    server.isHolding = false;
    const pull = (reread: boolean) =>
      pullWith(engine, requestOf(`${server.url}/SHA256SUMS`, to, { reread }));
    expect(await pull(false)).toMatchObject({ ok: true, filesFetched: 3 });
    execFileSync('sync', ['-f', to]);
    damageOnDisk(files.get('kept-2') ?? Buffer.alloc(0));
    expect(await pull(false)).toMatchObject({ ok: true, filesFetched: 0, filesKept: 3 });
    server.gets.length = 0;
    expect(await pull(true)).toMatchObject({ ok: true, filesFetched: 1, filesKept: 2 });
    expect(server.gets.filter((name) => name !== 'SHA256SUMS')).toEqual(['kept-2']);
    const receipt = (): Receipt =>
      JSON.parse(readFileSync(join(to, '.waybill/receipt.json'), 'utf8')) as Receipt;
    expect(receipt().readBack).toEqual({ disk: 3, cache: 0 });
    expect(await pull(true)).toMatchObject({ ok: true, filesFetched: 0, filesKept: 3 });
    expect(receipt().readBack).toEqual({ disk: 3, cache: 0 });
    expect(await pull(false)).toMatchObject({ ok: true, filesKept: 3 });
    expect(receipt().readBack).toBeUndefined();
    for (const [name, bytes] of files) {
      expect(sha256(afterRemount(join(to, name)))).toBe(sha256(bytes));
    }
  });

  it('warns, and records it, where memory may have answered', async () => {
    const to = join('/dev/shm', `waybill-reread-${process.pid}`);
    server.files.set('model', Buffer.from('weights'));
    server.isHolding = false;
    const result = await pullWith(engine, requestOf(`${server.url}/model`, to, { reread: true }));
    rmSync(to);
    rmSync(join('/dev/shm', `.waybill-reread-${process.pid}.waybill`), { recursive: true });
    expect(result).toMatchObject({ ok: true });
    expect(result.warnings.join('\n')).toMatch(/--reread could not pass the page cache by \(tmpfs/);
  });
});
