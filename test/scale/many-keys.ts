/**
 * The listing of a bucket with very many keys under one prefix. The server is a script that answers ListObjectsV2 and nothing else,
 * for a real store with a million objects would measure itself: what is asked here is the memory of whoever lists.
 */
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { scrubbedEnv } from '../helpers/processes.js';
import type { WaybillBed } from '../helpers/waybill.js';
import { Peaks } from './processes.js';

const PREFIX = 'many/';
const PAGE_KEYS = 1_000;
const KEY_BYTES = 1_024;

/** Starts it; keys are `many/key-0000000.bin`, ... */
export async function startManyKeys(keys: number): Promise<{
  readonly env: Readonly<Record<string, string>>;
  pages(): number;
  stop(): Promise<void>;
}> {
  let pages = 0;
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const from = Number(searchParams.get('continuation-token') ?? 0);
    const most = Number(searchParams.get('max-keys') ?? PAGE_KEYS);
    if (!searchParams.has('list-type')) {
      // A SHA256SUMS or a seal is looked for beside the keys.
      response.writeHead(404).end();
      return;
    }
    pages += 1;
    // Below any other prefix there is nothing.
    const there = searchParams.get('prefix') === PREFIX ? keys : 0;
    response.writeHead(200, { 'content-type': 'application/xml' });
    response.end(pageOf(from, Math.min(most, PAGE_KEYS, there - from), there));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    env: {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI',
    },
    pages: () => pages,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function pageOf(from: number, count: number, keys: number): string {
  const objects = Array.from({ length: count }, (_, index) => {
    const number = String(from + index).padStart(7, '0');
    const etag = number.padStart(32, '0');
    return (
      `<Contents><Key>${PREFIX}key-${number}.bin</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>` +
      `<ETag>&quot;${etag}&quot;</ETag><Size>${KEY_BYTES}</Size></Contents>`
    );
  });
  const next = from + count;
  const more =
    next < keys
      ? `<IsTruncated>true</IsTruncated><NextContinuationToken>${next}</NextContinuationToken>`
      : '<IsTruncated>false</IsTruncated>';
  return `<?xml version="1.0"?><ListBucketResult>${objects.join('')}${more}</ListBucketResult>`;
}

/** What listing them costs. */
export interface KeysFigures {
  readonly command: string;
  readonly lines: number;
  readonly seconds: number;
  readonly peakMiB: number;
  readonly exitCode: number | null;
}

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

/** Runs a command that lists, counts its lines as `wc -l` does, and keeps its highest memory. */
export async function countLines(
  bed: WaybillBed,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<KeysFigures> {
  const peaks = new Peaks();
  const from = performance.now();
  try {
    const child = spawn(process.execPath, [MAIN, ...args], {
      env: scrubbedEnv({ WAYBILL_STATE_DIR: bed.stateDir, ...env }),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    peaks.watch('command', child.pid ?? 0);
    let lines = 0;
    child.stdout.on('data', (bytes: Buffer) => {
      for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) lines += 1;
    });
    const exitCode = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    const seconds = (performance.now() - from) / 1_000;
    const command = ['waybill', ...args].join(' ');
    return { command, lines, seconds, peakMiB: peaks.of('command'), exitCode };
  } finally {
    peaks.end();
  }
}
