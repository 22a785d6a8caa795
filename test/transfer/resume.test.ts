import { createHash, randomBytes } from 'node:crypto';
import { execFileSync, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { PullRef, TransferEngine } from '../../src/transfer/api.js';
import { startTicksOf, thisProcess } from '../../src/transfer/process-identity.js';
import { appendWriter, readSidecar } from '../../src/transfer/sidecar.js';
import { RECORD_BYTES } from '../../src/transfer/fetch-large.js';
import { startCutServer, serveFile, type CutServer } from '../helpers/cut-server.js';
import { contextOf, engineOf, pullWith, requestOf, scratch } from '../helpers/engine.js';

const MiB = 1024 * 1024;
const SIZE = 80 * MiB;
const OLD = 'Mon, 01 Jan 2024 00:00:00 GMT';

const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = Date.now() + 120_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited in vain until ${what}`);
    await sleep(20);
  }
}

describe('a large file that is interrupted', () => {
  const content = randomBytes(SIZE);
  let engine: TransferEngine;
  let server: CutServer;
  let root: string;
  let to: string;

  beforeAll(async () => {
    root = await scratch('resume');
  });
  beforeEach(async () => {
    engine = engineOf();
    server = await startCutServer();
    to = join(root, `model-${randomBytes(4).toString('hex')}.bin`);
  });
  afterEach(async () => {
    await engine.close();
    await server.stop();
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  const strong = serveFile(content, { etag: '"v1"' });
  /** The same, slow enough to be interrupted, however busy the machine. */
  const slow: typeof strong = (request) => ({ ...strong(request), bytesPerSecond: 4 * MiB });
  const recordDir = (): string => join(root, `.${to.slice(root.length + 1)}.waybill`);
  const sidecar = async (): Promise<string> => {
    const folder = join(recordDir(), 'partial');
    const names = existsSync(folder) ? await readdir(folder) : [];
    const name = names.find((candidate) => candidate.endsWith('.parts'));
    return name === undefined ? '' : join(folder, name);
  };
  const recordedParts = async (): Promise<number> => {
    const path = await sidecar();
    return path === '' ? 0 : readSidecar(path).extents.length;
  };

  async function startAndStop(uri: string): Promise<void> {
    const control = new AbortController();
    const pulling = pullWith(engine, requestOf(uri, to), 'run', contextOf(control.signal));
    const stopped = expect(pulling).rejects.toThrow('stopped by the test');
    await until(async () => (await recordedParts()) >= 1, 'a part was recorded');
    control.abort(new Error('stopped by the test'));
    await stopped;
  }

  it('goes on where it was stopped, and fetches no recorded byte twice', async () => {
    const uri = `${server.url}/model.bin`;
    server.serve('/model.bin', slow);
    await startAndStop(uri);
    expect(existsSync(to)).toBe(false);
    server.serve('/model.bin', strong);
    const result = await pullWith(engine, requestOf(uri, to));
    expect(result).toMatchObject({ ok: true, levels: { size: 1 } });
    expect(sha256(await readFile(to))).toBe(sha256(content));
    // A stop records the part at hand as well: only what was in the sockets comes twice.
    expect(server.bytesServed('/model.bin')).toBeLessThan(SIZE + 16 * MiB);
  });

  it('rule 16: a recorded part that was damaged on disk is fetched again', async () => {
    const uri = `${server.url}/model.bin`;
    server.serve('/model.bin', slow);
    await startAndStop(uri);
    const partial = (await sidecar()).replace(/\.parts$/, '');
    const offsetBytes = readSidecar(await sidecar()).extents[0]?.offsetBytes ?? 0;
    const handle = await open(partial, 'r+');
    await handle.write(Buffer.from([(content[offsetBytes + 7] ?? 0) ^ 1]), 0, 1, offsetBytes + 7);
    await handle.close();
    server.serve('/model.bin', strong);
    expect(await pullWith(engine, requestOf(uri, to))).toMatchObject({ ok: true });
    expect(sha256(await readFile(to))).toBe(sha256(content));
  });

  it('rule 13: a partial whose writer may live gets a new inode, one of this process keeps its own', async () => {
    const uri = `${server.url}/model.bin`;
    for (const mayLive of [true, false]) {
      server.serve('/model.bin', slow);
      await startAndStop(uri);
      const path = await sidecar();
      const { ino } = await stat(path.replace(/\.parts$/, ''));
      // Process 1 of this host lives for as long as the host does.
      const living = { ...thisProcess(), pid: 1, startTicks: startTicksOf(1) ?? '' };
      if (mayLive) appendWriter(path, living);
      server.serve('/model.bin', strong);
      expect(await pullWith(engine, requestOf(uri, to))).toMatchObject({ ok: true });
      expect((await stat(to)).ino === ino).toBe(!mayLive);
      expect(sha256(await readFile(to))).toBe(sha256(content));
      to = `${to}-again`;
    }
  });

  it('rule 12: a source that changed is told apart, and old parts are never joined to new ones', async () => {
    const uri = `${server.url}/model.bin`;
    server.serve('/model.bin', slow);
    await startAndStop(uri);
    const other = randomBytes(SIZE);
    server.serve('/model.bin', serveFile(other, { etag: '"v2"' }));
    expect(await pullWith(engine, requestOf(uri, to))).toMatchObject({ ok: true });
    expect(sha256(await readFile(to))).toBe(sha256(other));
  });

  it('rule 12: a source that changes while it is read is WB_SOURCE_CHANGED (exit 8)', async () => {
    const other = serveFile(randomBytes(SIZE), { etag: '"v2"' });
    server.serve('/model.bin', (request) => (request.index < 3 ? strong(request) : other(request)));
    const result = await pullWith(engine, requestOf(`${server.url}/model.bin`, to));
    expect(result).toMatchObject({ ok: false, exitCode: 8, code: 'WB_SOURCE_CHANGED' });
    expect(existsSync(to)).toBe(false);
  });

  it('rule 12: a weak pin is one stream, and goes on behind what is proven', async () => {
    const uri = `${server.url}/model.bin`;
    const weak = serveFile(content, { lastModified: OLD });
    server.serve('/model.bin', (request) => ({ ...weak(request), bytesPerSecond: 16 * MiB }));
    await startAndStop(uri);
    server.serve('/model.bin', weak);
    expect(await pullWith(engine, requestOf(uri, to))).toMatchObject({ ok: true });
    expect(sha256(await readFile(to))).toBe(sha256(content));
    expect(
      server.requestsOf('/model.bin').every((request) => request.headers['if-match'] === undefined),
    ).toBe(true);
    expect(server.bytesServed('/model.bin')).toBeLessThan(SIZE + 8 * MiB);
  });

  it('rule 12: without a pin it starts from nothing again', async () => {
    const uri = `${server.url}/model.bin`;
    const bare = serveFile(content, {});
    server.serve('/model.bin', bare);
    expect(await pullWith(engine, requestOf(uri, to))).toMatchObject({ ok: true });
    const ranged = server
      .requestsOf('/model.bin')
      .filter(({ headers }) => headers.range !== undefined);
    expect(ranged.filter(({ headers }) => headers.range !== 'bytes=0-0')).toEqual([]);
    expect(sha256(await readFile(to))).toBe(sha256(content));
  });

  it('rule 12: a server that answers 200 to a range is read as one stream, never appended', async () => {
    server.serve('/model.bin', (request) => {
      const { range: _range, ...headers } = request.headers;
      return strong({ ...request, headers });
    });
    expect(await pullWith(engine, requestOf(`${server.url}/model.bin`, to))).toMatchObject({
      ok: true,
    });
    expect(sha256(await readFile(to))).toBe(sha256(content));
  });

  it('a stream that breaks is opened again at its offset', async () => {
    server.serve('/model.bin', (request) =>
      request.method === 'GET' && request.index % 3 === 1
        ? { ...strong(request), cutAfterBytes: 5 * MiB, cutWith: 'close' }
        : strong(request),
    );
    expect(await pullWith(engine, requestOf(`${server.url}/model.bin`, to))).toMatchObject({
      ok: true,
    });
    expect(sha256(await readFile(to))).toBe(sha256(content));
    // What lay in the sockets when they were cut comes twice, nothing else.
    expect(server.bytesServed('/model.bin')).toBeLessThan(SIZE + 16 * MiB);
  });

  it('rule 13 and 15: after kill -9 another process goes on, with at most a record a stream fetched twice', async () => {
    const uri = `${server.url}/model.bin`;
    server.serve('/model.bin', slow);
    const script = fileURLToPath(new URL('../helpers/pull-process.js', import.meta.url));
    const child = fork(script, [uri, to], { execArgv: [], stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await until(async () => (await recordedParts()) >= 2, 'two parts were recorded');
    child.kill('SIGKILL');
    await ended;
    server.serve('/model.bin', strong);
    expect(await pullWith(engine, requestOf(uri, to))).toMatchObject({ ok: true });
    expect(sha256(await readFile(to))).toBe(sha256(content));
    // Five parts at once; what lay in the sockets comes twice too.
    expect(server.bytesServed('/model.bin')).toBeLessThan(SIZE + 5 * (RECORD_BYTES + 4 * MiB));
  });

  it('rule 17: bytes with the wrong digest are dropped, not continued', async () => {
    const uri = `${server.url}/model.bin`;
    server.serve('/model.bin', strong);
    const expect256 = { kind: 'digest' as const, sha256: '0'.repeat(64) };
    const result = await pullWith(engine, requestOf(uri, to, { expect: expect256 }));
    expect(result).toMatchObject({ exitCode: 6, code: 'WB_DIGEST_MISMATCH' });
    expect(await sidecar()).toBe('');
    expect(existsSync(to)).toBe(false);
  });
});

describe('the journal', () => {
  let engine: TransferEngine;
  let root: string;
  const context = contextOf();

  beforeAll(async () => {
    root = await scratch('journal');
    engine = engineOf();
  });
  afterAll(async () => {
    await engine.close();
    await rm(root, { recursive: true, force: true });
  });

  async function fetched(name: string): Promise<{ ref: PullRef; from: string; to: string }> {
    const from = join(root, `${name}-from`);
    const to = join(root, `${name}-to`);
    await writeFile(from, 'the bytes');
    const request = requestOf(from, to);
    const resolved = await engine.resolve({ request }, context);
    const { ref } = await engine.claim({ pullId: name, runId: 'r', request, resolved }, context);
    await engine.planPage({ ref, page: 0 }, context);
    await engine.fetchUnit({ ref, page: 0, unit: 0 }, context);
    return { ref, from, to };
  }

  const journalOf = async (ref: PullRef): Promise<string> => {
    const folder = join(ref.recordDir, 'journal');
    return join(folder, (await readdir(folder))[0] ?? '');
  };

  it('rule 15: a torn tail is dropped, and the whole lines before it count', async () => {
    const { ref } = await fetched('torn');
    await appendFile(await journalOf(ref), 'deadbeef {"kind":"fetched","planId":"r","entr');
    const again = engineOf();
    const result = await again.fetchUnit({ ref, page: 0, unit: 0 }, contextOf());
    expect(result).toMatchObject({ files: 1, bytesFetched: 0 });
    await again.close();
  });

  it('rule 15: a line that no durable mark follows is hashed first where the boot is another', async () => {
    const { ref, to } = await fetched('boot');
    const path = await journalOf(ref);
    const { crc32 } = await import('node:zlib');
    const checked = (text: string): string =>
      `${crc32(text).toString(16).padStart(8, '0')} ${text}`;
    const lines = (await readFile(path, 'utf8'))
      .split('\n')
      .filter((line) => line !== '' && !line.includes('"kind":"durable"'))
      .map((line) => {
        const value = JSON.parse(line.slice(9)) as { kind: string };
        return checked(
          JSON.stringify(value.kind === 'head' ? { ...value, bootId: 'before' } : value),
        );
      });
    await writeFile(path, `${lines.filter((line) => !line.includes('"publishing"')).join('\n')}\n`);
    // As a disk does it that has lost what it had confirmed: nothing but the bytes tells.
    const { mtimeNs } = await stat(to, { bigint: true });
    await writeFile(to, 'lost byte');
    execFileSync('touch', ['-d', `@${mtimeNs / 1_000_000_000n}.${String(mtimeNs).slice(-9)}`, to]);
    const again = engineOf();
    const result = await again.fetchUnit({ ref, page: 0, unit: 0 }, contextOf());
    expect(result).toMatchObject({ files: 1, bytesFetched: 9 });
    expect(await readFile(to, 'utf8')).toBe('the bytes');
    await again.close();
  });

  it('a kill between the rename and the journal line does not make the file a stranger', async () => {
    const { ref, from, to } = await fetched('between');
    const path = await journalOf(ref);
    const lines = (await readFile(path, 'utf8')).split('\n');
    await writeFile(
      path,
      lines.filter((line) => !/"kind":"(fetched|durable)"/.test(line)).join('\n'),
    );
    await engine.release({ ref });
    const again = engineOf();
    const result = await pullWith(again, requestOf(from, to), 'next run');
    expect(result).toMatchObject({ ok: true, filesKept: 1, bytesFetched: 0 });
    await again.close();
  });
});
