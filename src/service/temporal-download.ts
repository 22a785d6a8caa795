import { createWriteStream } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { EnvHttpProxyAgent, fetch } from 'undici';
import * as z from 'zod';
import { runTool } from './run-tool.js';

/** Where the Temporal SDKs ask for the CLI; the same questions as their `cached-download`. */
const DOWNLOADS = 'https://temporal.download/cli';
const FIRST_ANSWER_MS = 4_000;
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

const infoSchema = z.object({ archiveUrl: z.url(), fileToExtract: z.string().min(1) });

export interface TemporalDownload {
  /** Such as `1.5.1`. */
  readonly version: string;
  /** Where the binary ends up, put in place with one rename; its folder exists. */
  readonly target: string;
  readonly onProgress: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Fetches the prebuilt Temporal CLI the way the Temporal SDKs do. A network that refuses is told from one
 * that works within four seconds.
 * @returns undefined when the CLI is in place, else why it could not be had, in a few words
 */
export async function downloadTemporalCli(job: TemporalDownload): Promise<string | undefined> {
  const arch = ARCHITECTURES[process.arch];
  if (arch === undefined) return `there is no download for ${process.arch}`;
  const dispatcher = new EnvHttpProxyAgent({ connect: { timeout: FIRST_ANSWER_MS } });
  const scratch = await mkdtemp(join(dirname(job.target), '.download-'));
  try {
    const platform = process.platform === 'darwin' ? 'darwin' : 'linux';
    const query = new URLSearchParams({ arch, platform, format: 'tar.gz' });
    const answer = await fetch(`${DOWNLOADS}/v${job.version}?${query.toString()}`, {
      dispatcher,
      signal: withTimeout(job.signal, FIRST_ANSWER_MS),
    });
    if (!answer.ok) return `the download server answered ${answer.status}`;
    const info = infoSchema.parse(await answer.json());
    const archive = join(scratch, 'archive.tar.gz');
    const body = await fetch(info.archiveUrl, { dispatcher, signal: job.signal ?? null });
    if (!body.ok || body.body === null) return `the download server answered ${body.status}`;
    const sizeMiB = Math.round(Number(body.headers.get('content-length') ?? 0) / (1 << 20));
    job.onProgress(`Temporal CLI ${job.version}: downloading ${sizeMiB || 'about 60'} MiB`);
    await pipeline(Readable.fromWeb(body.body), createWriteStream(archive), {
      ...(job.signal === undefined ? {} : { signal: job.signal }),
    });
    const unpacked = await runTool({
      command: 'tar',
      args: ['-xzf', archive, '-C', scratch, '--', info.fileToExtract],
      signal: job.signal,
    });
    if (unpacked.exitCode !== 0) return `the archive cannot be unpacked: ${unpacked.output.trim()}`;
    await rename(join(scratch, info.fileToExtract), job.target);
    return undefined;
  } catch (error) {
    job.signal?.throwIfAborted();
    return reasonOf(error);
  } finally {
    await rm(scratch, { recursive: true, force: true });
    await dispatcher.destroy();
  }
}

function withTimeout(signal: AbortSignal | undefined, timeoutMs: number): AbortSignal {
  const timeout = AbortSignal.timeout(timeoutMs);
  return signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
}

/** fetch says only \`fetch failed\`; what happened is in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
