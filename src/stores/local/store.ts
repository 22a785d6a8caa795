/** A folder or a file of this host, or of a share that it has mounted, as a source. */
import { constants } from 'node:fs';
import { lstat, open, opendir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { ObjectEntry } from '../../model/object-entry.js';
import { samePin } from '../../model/object-entry.js';
import type {
  CallOptions,
  ListOptions,
  OpenObject,
  ReadOptions,
  Store,
  StoreCapabilities,
  StorePace,
  WholeObject,
  WholeReadOptions,
} from '../store.js';
import { asError } from '../lib/as-error.js';
import { LocalBody } from './body.js';
import { entryOf, LocalPins, modifiedAtOf } from './entry.js';
import {
  errorOfFileSystem,
  localError,
  mayBeOfFile,
  ofFileAlone,
  type LocalPlace,
} from './errors.js';
import { readWhole } from './read-whole.js';
import { resolveInside, trimPath, type Located } from './resolve-inside.js';
import { walkFolder } from './walk.js';

const CAPABILITIES: StoreCapabilities = {
  canList: true,
  ranges: 'yes',
  pin: 'unknown',
  knowsSizes: true,
  nativeDigests: [],
  listsInOrder: true,
  maxConnections: 16,
};

/** Reads files of the local file system, never through a link that leads out of the root. */
export class LocalStore implements Store {
  readonly name = 'local';
  readonly capabilities = CAPABILITIES;
  /** Kept: when the root is a link (`latest`) that is pointed elsewhere, one pull still sees one tree. */
  private realRoot: string | undefined;
  private pins: Promise<LocalPins> | undefined;
  /** What the first file that was opened has shown of the source. */
  private known: { readonly realRoot: string; readonly pins: LocalPins } | undefined;
  private readonly bodies = new Set<LocalBody>();

  /** @param root absolute, without a slash at its end */
  constructor(
    readonly root: string,
    private readonly pace?: StorePace,
  ) {}

  async stat(path: string, options: CallOptions = {}): Promise<ObjectEntry> {
    options.signal?.throwIfAborted();
    const trimmed = trimPath(path);
    const { stats, realPath, realRoot } = await this.resolve(trimmed, 'stat');
    if (stats.isFile() || stats.isDirectory()) {
      return entryOf(trimmed, stats, await this.pinsAt(realRoot));
    }
    throw special({ operation: 'stat', path: trimmed, absolute: realPath });
  }

  async *list(prefix: string, options: ListOptions): AsyncGenerator<ObjectEntry> {
    const { recursive, signal, lookAtHost } = options;
    signal?.throwIfAborted();
    const trimmed = trimPath(prefix);
    const { stats, realPath, realRoot } = await this.resolve(trimmed, 'list');
    if (!stats.isDirectory()) {
      const place = { operation: 'list', path: trimmed, absolute: realPath };
      throw localError('WB_NOT_FOUND', 'is not a folder', place);
    }
    const pins = await this.pinsAt(realRoot);
    // On a share each look waits for an answer: four at a time are faster than one after another.
    const elsewhere = pins.isOfKernel ? lookAtHost : undefined;
    const walk = { realRoot, pins, recursive, signal, lookAtHost: elsewhere };
    yield* walkFolder(walk, realPath, trimmed, [realPath]);
  }

  async openRead(path: string, options: ReadOptions = {}): Promise<OpenObject> {
    const { offsetBytes = 0, lengthBytes, pin: pinned, signal } = options;
    signal?.throwIfAborted();
    const { stats: before, realPath, realRoot } = await this.resolve(path, 'openRead');
    const place = { operation: 'openRead', path, absolute: realPath };
    // A FIFO would block, and a device may act, when it is merely opened.
    if (before.isDirectory() && (await isLink(this.root, path))) {
      throw localError('WB_UNSAFE_PATH', 'is where a link leads that goes in circles', place);
    }
    if (!before.isFile()) throw special(place);
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    let handle;
    try {
      handle = await open(realPath, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      const stats = await handle.stat({ bigint: true });
      if (!stats.isFile()) throw special(place);
      const sizeBytes = Number(stats.size);
      const pins = await this.pinsAt(realRoot);
      this.known = { realRoot, pins };
      const pin = pins.pinOf(stats);
      if (pinned && !samePin(pinned, pin)) {
        throw localError('WB_SOURCE_CHANGED', 'changed since it was listed', place);
      }
      if (offsetBytes > 0 && offsetBytes >= sizeBytes) {
        throw localError(
          'WB_SIZE_MISMATCH',
          `has ${sizeBytes} bytes, none at ${offsetBytes}`,
          place,
        );
      }
      signal?.throwIfAborted();
      const endBytes = Math.min(sizeBytes, offsetBytes + (lengthBytes ?? sizeBytes));
      const body = new LocalBody(
        handle,
        pin,
        pins,
        offsetBytes,
        endBytes,
        place,
        signal,
        this.pace,
        (error) => this.judged(error),
      );
      this.bodies.add(body);
      body.once('close', () => this.bodies.delete(body));
      return {
        body,
        offsetBytes,
        lengthBytes: endBytes - offsetBytes,
        sizeBytes,
        pin,
        modifiedAt: modifiedAtOf(stats),
        ending: 'length',
        answeredAt: new Date().toISOString(),
      };
    } catch (error) {
      await handle?.close();
      throw await this.judged(errorOfFileSystem(error, place));
    }
  }

  readWhole(path: string, { maxBytes, pin, memoryFor }: WholeReadOptions): WholeObject | undefined {
    // With a limit on bytes they come in the turns that it allows.
    const isPaced = (this.pace?.quantumBytes() ?? maxBytes) < maxBytes;
    // It would stop this thread for as long as a share does not answer.
    if (this.known?.pins.isOfKernel !== true || isPaced) return undefined;
    return readWhole({ ...this.known, path, pin, maxBytes, memoryFor });
  }

  async close(): Promise<void> {
    for (const body of this.bodies) body.destroy();
    this.bodies.clear();
    await Promise.resolve();
  }

  private pinsAt(realRoot: string): Promise<LocalPins> {
    this.pins ??= LocalPins.at(realRoot);
    return this.pins;
  }

  /** What fails on a disk or share that still answers is about one file: the others can be had. */
  private async judged(error: unknown): Promise<Error> {
    const { realRoot } = this;
    const known = asError(error);
    if (!mayBeOfFile(known) || known.path === '' || realRoot === undefined) return known;
    const { isOfKernel } = await this.pinsAt(realRoot);
    // How much room a share has is asked of its server each time.
    return (isOfKernel ? listsAnything(realRoot) : statfs(realRoot)).then(
      () => ofFileAlone(known),
      () => known,
    );
  }

  private async resolve(path: string, operation: string): Promise<Located> {
    const located = await resolveInside(this.root, path, operation, this.realRoot).catch(
      async (error: unknown) => {
        throw await this.judged(error);
      },
    );
    this.realRoot = located.realRoot;
    return located;
  }
}

/** Rejects where the kernel has shut a file system down: it answers EIO to everything. */
async function listsAnything(folder: string): Promise<void> {
  const names = await opendir(folder);
  await names.read().finally(() => names.close());
}

async function isLink(root: string, path: string): Promise<boolean> {
  return (await lstat(join(root, path))).isSymbolicLink();
}

function special(place: LocalPlace): Error {
  return localError('WB_UNSUPPORTED', 'is not a regular file', place, { scope: 'file' });
}
