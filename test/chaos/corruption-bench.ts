/** What the corruption campaign works on: real servers behind manglers, one engine, and trees with a proof. */
import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { PullRequest, PullResult } from '../../src/model/pull.js';
import type { TransferEngine } from '../../src/transfer/api.js';
import { openReach } from '../../src/transfer/reach.js';
import { sealTree } from '../../src/transfer/seal-tree.js';
import { contextOf, engineOf, pullWith, requestOf } from '../helpers/engine.js';
import { startMinio, type Minio } from '../helpers/minio.js';
import { startNginx, type Nginx } from '../helpers/nginx.js';
import {
  contentOf,
  expectedDigests,
  treeFiles,
  writeTree,
  type TreeFile,
} from '../helpers/tree.js';
import { startMangler, type Mangler } from './mangler.js';

const MiB = 1024 * 1024;

/** Small files: some are empty, none is large. */
export const FILES: readonly TreeFile[] = [
  ...treeFiles({ fileCount: 4, names: [] }),
  { path: 'config.json', sizeBytes: 713 },
  { path: 'weights/one.bin', sizeBytes: 70_001 },
  { path: 'weights/two.bin', sizeBytes: 4_096 },
];

/** One file in parts. */
export const LARGE: TreeFile = { path: 'model.bin', sizeBytes: 33 * MiB + 5 };

/** Sources whose files can be proven, and by what. */
export const PROVEN_SOURCES = ['seal', 'S3 ETag', 'S3 SHA-256', '--expect'] as const;
export type ProvenSource = (typeof PROVEN_SOURCES)[number];

/** What became of one pull. */
export type Ending =
  { readonly ok: true; readonly result: PullResult } | { readonly ok: false; readonly why: string };

export class CorruptionBench {
  readonly digests = expectedDigests(FILES);
  readonly largeDigest = expectedDigests([LARGE]).get(LARGE.path) ?? '';
  readonly largeBytes = contentOf(LARGE);
  private readonly engine: TransferEngine;
  private count = 0;

  private constructor(
    readonly base: string,
    private readonly nginx: Nginx,
    private readonly minio: Minio,
    readonly http: Mangler,
    readonly s3: Mangler,
  ) {
    const keys = {
      AWS_ACCESS_KEY_ID: minio.accessKeyId,
      AWS_SECRET_ACCESS_KEY: minio.secretAccessKey,
    };
    this.engine = engineOf({ reach: openReach(() => Promise.resolve(keys)) });
  }

  static async start(base: string): Promise<CorruptionBench> {
    const served = join(base, 'served');
    for (const folder of ['sealed', 'plain']) await writeTree(join(served, folder), FILES);
    await writeTree(served, [LARGE]);
    await sealTree(join(served, 'sealed'), { waybill: 'test' });
    const nginx = await startNginx({ root: served });
    const minio = await startMinio();
    await minio.createBucket('chaos');
    for (const file of FILES) {
      await minio.putObject('chaos', `etag/${file.path}`, contentOf(file));
      const extra = { ChecksumAlgorithm: 'SHA256' } as const;
      await minio.putObject('chaos', `sha256/${file.path}`, contentOf(file), extra);
    }
    const http = await startMangler(nginx.port);
    return new CorruptionBench(base, nginx, minio, http, await startMangler(minio.port));
  }

  async stop(): Promise<void> {
    await this.engine.close();
    await this.http.stop();
    await this.s3.stop();
    await this.nginx.stop();
    await this.minio.stop();
    rmSync(this.base, { recursive: true, force: true });
  }

  /** A destination that nothing was pulled into. */
  freshDestination(): string {
    this.count += 1;
    return join(this.base, 'pulled', `${this.count}`, 'tree');
  }

  /** Removes a destination and what lies beside it. */
  drop(destination: string): void {
    rmSync(join(destination, '..'), { recursive: true, force: true });
  }

  /** The folder of the tree as nginx serves it. */
  get sealedFolder(): string {
    return join(this.base, 'served/sealed');
  }

  requestOf(source: ProvenSource, destination: string, file?: TreeFile): PullRequest {
    const s3 = (prefix: string): PullRequest =>
      requestOf(`s3://chaos/${prefix}/`, destination, {
        source: {
          uri: `s3://chaos/${prefix}/`,
          settings: { AWS_ENDPOINT_URL: this.s3.url, AWS_REGION: 'us-east-1' },
          credentials: 'keys',
        },
      });
    switch (source) {
      case 'seal':
        return requestOf(`${this.http.url}/sealed/`, destination);
      case 'S3 ETag':
        return s3('etag');
      case 'S3 SHA-256':
        return s3('sha256');
      case '--expect': {
        const { path } = file ?? LARGE;
        const sha256 = this.digests.get(path) ?? this.largeDigest;
        const uri = `${this.http.url}/${file === undefined ? '' : 'plain/'}${path}`;
        return requestOf(uri, destination, { expect: { kind: 'digest', sha256 } });
      }
    }
  }

  /** A pull of the tree from the sealed source, whole. */
  async pulled(): Promise<string> {
    const destination = this.freshDestination();
    this.http.setMangle(undefined);
    const ending = await this.pull(this.requestOf('seal', destination));
    if (!ending.ok) throw new Error(`a pull without damage failed: ${ending.why}`);
    return destination;
  }

  async pull(request: PullRequest, signal?: AbortSignal): Promise<Ending> {
    this.count += 1;
    try {
      const context = contextOf(signal);
      const result = await pullWith(this.engine, request, `run-${this.count}`, context);
      if (result.ok) return { ok: true, result };
      return { ok: false, why: result.failures[0]?.code ?? result.code ?? 'failed' };
    } catch (error) {
      const { code } = error as { code?: unknown };
      return { ok: false, why: typeof code === 'string' ? code : String(error) };
    }
  }

  /** A pull of the large file that was stopped in the middle, made once and copied: `file` is its destination. */
  async interrupted(): Promise<{ file: string; partial: string }> {
    const template = join(this.base, 'interrupted');
    await (this.making ??= this.interrupt(template));
    const file = join(this.freshDestination(), '..', LARGE.path);
    mkdirSync(join(file, '..'), { recursive: true });
    cpSync(template, join(file, '..'), { recursive: true });
    return { file, partial: join(file, '..', `.${LARGE.path}.waybill`, 'partial') };
  }

  private making: Promise<void> | undefined;

  private async interrupt(folder: string): Promise<void> {
    mkdirSync(folder, { recursive: true });
    // Two ranges come, the rest is cut before its first byte for good: the pull ends with two recorded parts.
    let left = 0;
    this.http.setMangle((_path, answer) => {
      left += 1;
      return left <= 2 ? undefined : { body: answer.body, cutAfterBytes: 0 };
    });
    const request = this.requestOf('--expect', join(folder, LARGE.path));
    const ending = await this.pull(request);
    this.http.setMangle(undefined);
    if (ending.ok) throw new Error('the pull was not interrupted');
  }

  bytesAt(path: string): Buffer | undefined {
    try {
      return readFileSync(path);
    } catch {
      return undefined;
    }
  }
}
