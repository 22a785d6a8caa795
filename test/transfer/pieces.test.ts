/** A unit of many tiny files gets them their names a piece at a time, while the next ones come. */
import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openReach } from '../../src/transfer/reach.js';
import type { TransferEngine, UnitRef } from '../../src/transfer/api.js';
import { contextOf, engineOf, requestOf, scratch } from '../helpers/engine.js';

/** As the first page of a plan and one unit of the second one have them. */
const FIRST_PAGE = 1_000;
const TINY = 600;
const nameOf = (index: number): string => `f${String(index).padStart(5, '0')}`;
const NAMES = Array.from({ length: FIRST_PAGE + TINY }, (_, index) => nameOf(index));
const EARLIEST = nameOf(FIRST_PAGE);
const LATEST = nameOf(FIRST_PAGE + TINY - 1);

/** A service with the API of S3 whose answers can be held back. */
class HoldingS3 {
  readonly asked: string[] = [];
  held = new Set<string>();
  private waiting: (() => void)[] = [];
  private readonly server: Server = createServer(({ url = '' }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://s3');
    const head = { 'x-amz-request-id': '1', ETag: '"v1"' };
    if (searchParams.has('list-type')) {
      const prefix = searchParams.get('prefix') ?? '';
      const contents = NAMES.filter((name) => name.startsWith(prefix)).map(
        (name) => `<Contents><Key>${name}</Key><Size>6</Size><ETag>"v1"</ETag></Contents>`,
      );
      response.writeHead(200, head);
      response.end(`<ListBucketResult>${contents.join('')}</ListBucketResult>`);
      return;
    }
    const name = pathname.replace('/models/', '');
    if (!NAMES.includes(name)) {
      response.writeHead(404, head);
      response.end('<Error><Code>NoSuchKey</Code></Error>');
      return;
    }
    this.asked.push(name);
    response.writeHead(200, { ...head, 'Content-Length': 6 });
    if (this.held.has(name)) this.waiting.push(() => response.end(name));
    else response.end(name);
  });

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  letGo(): void {
    this.held = new Set();
    for (const end of this.waiting.splice(0)) end();
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 120_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited in vain until ${what}`);
    await sleep(20);
  }
}

describe('a unit of 600 tiny files', () => {
  let s3: HoldingS3;
  let engine: TransferEngine;
  let root: string;
  let to: string;
  let unit: UnitRef;

  beforeEach(async () => {
    s3 = new HoldingS3();
    const uri = await s3.listen();
    const secrets = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI' };
    engine = engineOf({ reach: openReach(() => Promise.resolve(secrets)) });
    root = await scratch('pieces');
    to = join(root, 'to');
    const settings = { AWS_ENDPOINT_URL: uri, AWS_REGION: 'us-east-1' };
    const source = { uri: 's3://models/', settings, credentials: 'keys' };
    const request = requestOf(source.uri, to, { source });
    const context = contextOf();
    const resolved = await engine.resolve({ request }, context);
    const claim = { pullId: 'pull', runId: 'run', request, resolved };
    const { ref } = await engine.claim(claim, context);
    await engine.planPage({ ref, page: 0 }, context);
    expect(await engine.planPage({ ref, page: 1 }, context)).toMatchObject({
      units: 1,
      files: TINY,
      isLast: true,
    });
    unit = { ref, page: 1, unit: 0 };
  }, 120_000);
  afterEach(async () => {
    await engine.close();
    await s3.stop();
    await rm(root, { recursive: true, force: true });
  });

  it('has its first files in place while its last one is waited for', async () => {
    s3.held.add(LATEST);
    const fetching = engine.fetchUnit(unit, contextOf());
    await until(() => existsSync(join(to, EARLIEST)), 'the first file was in place');
    expect(existsSync(join(to, LATEST))).toBe(false);
    s3.letGo();
    expect(await fetching).toMatchObject({ files: TINY, bytes: TINY * 6, expelled: [] });
    const names = (await readdir(to)).filter((name) => name !== '.waybill');
    expect(names.sort()).toEqual(NAMES.slice(FIRST_PAGE));
  }, 180_000);

  it('rule 15: keeps what it had in place when it is ended in the middle, and asks for that no more', async () => {
    s3.held.add(LATEST);
    const controller = new AbortController();
    const fetching = engine.fetchUnit(unit, contextOf(controller.signal));
    await until(() => s3.asked.includes(LATEST), 'the last file was asked for');
    await until(() => existsSync(join(to, EARLIEST)), 'the first file was in place');
    const reason = new Error('paused');
    controller.abort(reason);
    await expect(fetching).rejects.toBe(reason);
    const inPlace = (await readdir(to)).filter((name) => name !== '.waybill');
    expect(inPlace).toContain(EARLIEST);
    s3.letGo();
    s3.asked.length = 0;
    expect(await engine.fetchUnit(unit, contextOf())).toMatchObject({ files: TINY });
    expect(s3.asked.filter((name) => inPlace.includes(name))).toEqual([]);
    expect(s3.asked).toHaveLength(TINY - inPlace.length);
  }, 180_000);
});
