/** Files at an MLflow server, through its artifact service, a run or a LoggedModel; proxied or presigned. */
import { askAgain } from '../lib/ask-again.js';
import type { ObjectEntry, Pin } from '../../model/object-entry.js';
import type { HttpClient } from '../lib/http-client.js';
import type {
  CallOptions,
  ListOptions,
  OpenObject,
  ReadOptions,
  Store,
  StoreCapabilities,
} from '../store.js';
import { mayMeanMissing, mlflowError } from './errors.js';
import type { ArtifactLocation } from './location.js';
import { formatLocation } from './location.js';
import { joinPath } from '../lib/join-path.js';
import { splitLast, trimSlashes, unservable } from './names.js';
import { openPresigned } from './open-presigned.js';
import { openProxied } from './open-proxied.js';
import { PresignedUrls } from './presigned.js';
import type { MlflowRest, Question } from './rest.js';
import { modelRoute, runRoute, serviceRoute } from './routes.js';
import type { ArtifactRoute, Listed } from './routes.js';
import { walk } from './tree.js';

/** A Python server with one worker answers about 200 requests a second, whatever the number of connections. */
export const MAX_CONNECTIONS = 16;

/** Up to this size a file is opened for its pin although the server may have to fetch it whole. */
const MAX_GLANCE_BYTES = 1_048_576;

/** What a store needs beside its location. */
export interface MlflowStoreParts {
  readonly location: ArtifactLocation;
  readonly rest: MlflowRest;
  /** For presigned addresses: knows nothing of MLflow's credentials and certificates. */
  readonly storage: HttpClient;
}

/** The route that a location names; the tree's root is the route's root, so that a parent of it can be listed. */
function routeOf({ base, runId, modelId }: ArtifactLocation, rest: MlflowRest): ArtifactRoute {
  if (runId !== undefined) return runRoute(rest, runId, '');
  if (modelId !== undefined) return modelRoute(rest, modelId, '');
  return serviceRoute(rest, base, '');
}

/** The store. Its root is `location.path` below its route. */
export class MlflowStore implements Store {
  readonly name = 'mlflow';
  readonly root: string;
  readonly capabilities: StoreCapabilities;
  private readonly route: ArtifactRoute;
  private readonly urls: PresignedUrls;

  constructor(private readonly parts: MlflowStoreParts) {
    const { location, rest } = parts;
    this.root = formatLocation(location).uri;
    this.route = routeOf(location, rest);
    this.urls = new PresignedUrls(this.route);
    this.capabilities = capabilitiesOf(location);
  }

  async stat(path: string, options: CallOptions = {}): Promise<ObjectEntry> {
    const own = trimSlashes(path);
    const listed = await this.find(own, 'stat', options);
    if (listed.isFolder) return { path: own, kind: 'directory' };
    const entry: ObjectEntry = {
      path: own,
      kind: 'file',
      ...(listed.sizeBytes === undefined ? {} : { sizeBytes: listed.sizeBytes }),
    };
    return { ...entry, ...(await this.glance(own, listed, options)) };
  }

  async *list(path: string, options: ListOptions): AsyncIterable<ObjectEntry> {
    options.signal?.throwIfAborted();
    const own = trimSlashes(path);
    const listFolder = (folder: string): Promise<readonly Listed[]> =>
      this.listFolder(folder, 'list', options);
    const listing = await askAgain(options, () => listFolder(own));
    // A missing folder, an empty one and a file are told apart by the parent alone.
    if (listing.length === 0) {
      const { isFolder } = await this.find(own, 'list', options);
      if (!isFolder) throw this.notFolder(own);
      return;
    }
    for await (const entry of walk(own, listing, listFolder, options)) {
      options.signal?.throwIfAborted();
      yield entry;
    }
  }

  async openRead(path: string, options: ReadOptions = {}): Promise<OpenObject> {
    options.signal?.throwIfAborted();
    const own = trimSlashes(path);
    const full = joinPath(this.parts.location.path, own);
    const why = unservable(full);
    if (why !== undefined) {
      throw mlflowError(
        'WB_UNSUPPORTED',
        `MLflow cannot serve the file ${JSON.stringify(own)}: ${why}; rename it, or fetch the files from their ` +
          'storage directly',
        { operation: 'openRead', path: own, scope: 'file' },
      );
    }
    const { location, rest, storage } = this.parts;
    const question = this.question('openRead', own, options);
    if (location.via === 'presigned') {
      return openPresigned({ urls: this.urls, storage, full, question, options });
    }
    const isStable = location.isOnServerDisk === true;
    const isService = location.runId === undefined && location.modelId === undefined;
    return openProxied({
      rest,
      url: this.route.fileUrl(full),
      question,
      options,
      pins: isService || isStable ? 'weak' : 'none',
      isMissing: (answer) =>
        mayMeanMissing(answer) ? this.isMissing(own, options) : Promise.resolve(false),
      isEmptyFile: async () => {
        const { isFolder, sizeBytes } = await this.find(own, 'openRead', options);
        return !isFolder && sizeBytes === 0;
      },
    });
  }

  async close(): Promise<void> {
    await Promise.all([this.parts.rest.client.close(), this.parts.storage.close()]);
  }

  /** One folder, its lines relative to it. */
  private listFolder(
    path: string,
    operation: string,
    options: CallOptions,
  ): Promise<readonly Listed[]> {
    const full = joinPath(this.parts.location.path, path);
    return this.route.list(full, this.question(operation, path, options));
  }

  /** What a path is, from the listing of its parent (and its own, for the root). Missing: WB_NOT_FOUND. */
  private async find(path: string, operation: string, options: CallOptions): Promise<Listed> {
    options.signal?.throwIfAborted();
    const full = joinPath(this.parts.location.path, path);
    if (full === '') return { name: '', isFolder: true };
    const { parent, name } = splitLast(full);
    const question = this.question(operation, path, options);
    const lines = (await this.route.list(parent, question)).filter((line) => line.name === name);
    // An object store may hold a file and a folder of one name; the file is what a GET would answer.
    const found = lines.find(({ isFolder }) => !isFolder) ?? lines[0];
    if (found) return found;
    const where = path === '' ? this.root : `${JSON.stringify(path)} below ${this.root}`;
    throw mlflowError('WB_NOT_FOUND', `MLflow has no file or folder ${where}`, { operation, path });
  }

  private async isMissing(path: string, options: CallOptions): Promise<boolean> {
    try {
      await this.find(path, 'openRead', options);
      return false;
    } catch (error) {
      if ((error as { code?: unknown }).code === 'WB_NOT_FOUND') return true;
      throw error;
    }
  }

  /** Pin and time of a file, which no MLflow listing has: from the answer to a read of its first byte. */
  private async glance(
    path: string,
    { sizeBytes = 0 }: Listed,
    options: CallOptions,
  ): Promise<{ pin?: Pin; modifiedAt?: string }> {
    // Where ranges are not honoured the server fetches the whole file first, and nothing is learned.
    const { ranges } = this.capabilities;
    const isDear = ranges === 'no' || (ranges === 'unknown' && sizeBytes > MAX_GLANCE_BYTES);
    if (isDear || unservable(joinPath(this.parts.location.path, path))) {
      return {};
    }
    const opened = await this.openRead(path, {
      ...options,
      ...(sizeBytes === 0 ? {} : { lengthBytes: 1 }),
    });
    opened.body.on('error', () => undefined).destroy();
    const { pin, modifiedAt } = opened;
    return { ...(pin ? { pin } : {}), ...(modifiedAt === undefined ? {} : { modifiedAt }) };
  }

  private notFolder(path: string): Error {
    const message = `${path === '' ? this.root : JSON.stringify(path)} is a file, not a folder`;
    return mlflowError('WB_NOT_FOUND', message, { operation: 'list', path });
  }

  private question(operation: string, path: string, { signal }: CallOptions): Question {
    const what = path === '' ? `files at ${this.root}` : `file ${JSON.stringify(path)}`;
    return { operation, what, path, ...(signal === undefined ? {} : { signal }) };
  }
}

/** The proxied routes differ by what the server keeps its files on, which the first answer shows. */
function capabilitiesOf({
  via,
  runId,
  modelId,
  isOnServerDisk,
}: ArtifactLocation): StoreCapabilities {
  const isService = runId === undefined && modelId === undefined;
  const isPresigned = via === 'presigned';
  const isStable = isOnServerDisk === true;
  // Through a run or model every range makes the server fetch the whole object again.
  const proxiedRanges = isService ? 'unknown' : isStable ? 'yes' : 'no';
  const proxiedPin = isService ? 'unknown' : isStable ? 'weak' : 'none';
  return {
    canList: true,
    ranges: isPresigned ? 'yes' : proxiedRanges,
    pin: isPresigned ? 'strong' : proxiedPin,
    knowsSizes: true,
    nativeDigests: isPresigned ? ['md5'] : [],
    listsInOrder: true,
    maxConnections: MAX_CONNECTIONS,
  };
}
