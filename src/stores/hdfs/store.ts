/** A folder or a file of a Hadoop file system, over WebHDFS. */
import { WaybillError } from '../../model/errors.js';
import type { ObjectEntry } from '../../model/object-entry.js';
import type {
  CallOptions,
  ListOptions,
  OpenObject,
  ReadOptions,
  StatOptions,
  Store,
  StoreAddress,
  StoreCapabilities,
} from '../store.js';
import { joinPath } from './address.js';
import { entryOf, StatusAnswer, type FileStatus } from './answers.js';
import { Checksums } from './checksums.js';
import type { HdfsConfig } from './config.js';
import { HdfsConnection, MAX_CONNECTIONS } from './connection.js';
import { walkFolder, type Walk } from './listing.js';
import type { Located } from './mounts.js';
import type { Negotiate } from './negotiate.js';
import { openFile } from './open.js';
import type { HdfsRequest } from './request.js';

/** What WebHDFS can do. */
export const HDFS_CAPABILITIES: StoreCapabilities = {
  canList: true,
  ranges: 'yes',
  pin: 'strong',
  knowsSizes: true,
  nativeDigests: ['md5crc', 'crc32c', 'crc32'],
  listsInOrder: true,
  describesCheaply: true,
  maxConnections: MAX_CONNECTIONS,
};

type There = Extract<Located, { kind: 'there' }>;

/** See `Store` for the methods. */
export class HdfsStore implements Store {
  readonly name = 'hdfs';
  readonly root: string;
  readonly capabilities = HDFS_CAPABILITIES;
  private readonly connection: HdfsConnection;
  private readonly checksums: Checksums;
  private readonly listsWhole = new Set<string>();

  constructor(
    private readonly config: HdfsConfig,
    address: StoreAddress,
    negotiate?: Negotiate,
  ) {
    this.root = config.root;
    this.connection = new HdfsConnection(config, address, negotiate);
    this.checksums = new Checksums(this.connection, config.checksums);
  }

  async stat(path: string, options: StatOptions = {}): Promise<ObjectEntry> {
    const { signal, wantsDigests } = options;
    signal?.throwIfAborted();
    const trimmed = path.replace(/\/+$/, '');
    const located = this.locate(trimmed);
    if (located.kind === 'table') return { path: trimmed, kind: 'directory' };
    const there = this.there(located, trimmed, 'stat');
    const status = await this.describe(there, trimmed, 'stat', signal);
    const entry = entryOf(trimmed, status);
    const isFolder = trimmed !== path || (trimmed === '' && this.config.isFolder);
    if (entry.kind === 'file' && isFolder && trimmed !== '') {
      throw missing(`${there.path} is a file, and no folder`, 'stat', trimmed);
    }
    if (entry.kind !== 'file' || (wantsDigests ?? false) === false) return entry;
    const { service, path: at } = there;
    const question = this.checksums.questionOf({ service, at, path: trimmed, signal });
    const digests = await question.answer(status);
    return Object.keys(digests).length === 0 ? entry : { ...entry, digests };
  }

  async *list(prefix: string, options: ListOptions): AsyncGenerator<ObjectEntry, void, undefined> {
    const { signal } = options;
    signal?.throwIfAborted();
    const trimmed = prefix.replace(/\/+$/, '');
    const walk: Walk = {
      ...options,
      connection: this.connection,
      locate: (path) => this.locateFolder(path),
      describe: (path) => this.statLinked(path, options),
      listsWhole: this.listsWhole,
    };
    yield* walkFolder(walk, trimmed, this.locateFolder(trimmed));
  }

  async openRead(path: string, options: ReadOptions = {}): Promise<OpenObject> {
    const { signal, offsetBytes = 0, lengthBytes } = options;
    signal?.throwIfAborted();
    const there = this.there(this.locate(path), path, 'openRead');
    const isWhole = offsetBytes === 0 && lengthBytes === undefined;
    const { service, path: at } = there;
    const describe = (): Promise<FileStatus> => this.describe(there, path, 'openRead', signal);
    const question = isWhole ? this.checksums.questionOf({ service, at, path, signal }) : undefined;
    const opening = { service, at, path, signal, describe, onNamed: question?.onNamed };
    const asked = openFile(this.connection, opening, options);
    const { status, ...opened } = await asked.catch((error: unknown) => {
      question?.abandon(error);
      throw error;
    });
    if (question === undefined) return opened;
    try {
      const digests = await question.answer(status);
      return Object.keys(digests).length === 0 ? opened : { ...opened, digests };
    } catch (error) {
      opened.body.destroy();
      throw error;
    }
  }

  /** Where a link leads to what is not read here, it is a file that fails when it is opened. */
  private async statLinked(path: string, options: CallOptions): Promise<ObjectEntry> {
    const isElsewhere = this.locate(path).kind === 'elsewhere';
    return isElsewhere ? { path, kind: 'file' } : this.stat(path, options);
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  private locate(path: string): Located {
    return this.config.mounts.locate(joinPath(this.config.rootPath, path));
  }

  private locateFolder(path: string): Located {
    const located = this.locate(path);
    return located.kind === 'table' ? located : this.there(located, path, 'list');
  }

  /** The file system that has a path. */
  private there(located: Located, path: string, operation: string): There {
    if (located.kind === 'there') return located;
    const at = joinPath(this.config.rootPath, path);
    if (located.kind === 'elsewhere') {
      const { at: link, target } = located.mount;
      throw new WaybillError(
        'WB_UNSUPPORTED',
        `${this.root}: the mount table leads from ${link} to ${target}, which is no HDFS: pull that address itself`,
        { operation, store: 'hdfs', path, scope: 'file', retryable: false },
      );
    }
    if (located.kind === 'table')
      throw missing(`${at} is a folder of the mount table`, operation, path);
    throw missing(`the mount table has nothing at ${at}`, operation, path);
  }

  private async describe(
    { service, path: at }: There,
    path: string,
    operation: string,
    signal: AbortSignal | undefined,
  ): Promise<FileStatus> {
    const request: HdfsRequest = { service, at, op: 'GETFILESTATUS', operation, path, signal };
    const answer = StatusAnswer.safeParse(await this.connection.ask(request));
    if (answer.success) return answer.data.FileStatus;
    throw this.connection.notWebHdfs(request, new URL(service.endpoints[0] ?? ''));
  }
}

function missing(message: string, operation: string, path: string): WaybillError {
  const scope = path === '' ? { scope: 'source' as const } : {};
  return new WaybillError('WB_NOT_FOUND', message, { operation, store: 'hdfs', path, ...scope });
}
