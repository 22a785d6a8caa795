/** Which digests files are expected to have, and who says so. */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { collectSums, decodeReceipt, decodeSeal } from '../../manifest/index.js';
import { WaybillError } from '../../model/errors.js';
import { RECORD_FOLDER } from '../../model/object-path.js';
import type { ObjectEntry } from '../../model/object-entry.js';
import type { PullRequest } from '../../model/pull.js';
import type { Store } from '../../stores/store.js';
import { isDamage } from '../durable-file.js';
import { digestForFile, readGivenList, refuseBareDigest } from './given-list.js';

/** An expected SHA-256 and where it came from. */
export interface Expected {
  readonly sha256: string;
  /** `caller` lifts to level `digest`, the others to `published`. */
  readonly from: 'caller' | 'seal at the source' | 'SHA256SUMS at the source';
}

/** All expectations of a pull. */
export interface Expectations {
  of(path: string): Expected | undefined;
  /** Paths that a list names although the source need not have them; absent ones are failures. */
  readonly required: ReadonlyMap<string, Expected['from']>;
}

/** Reads a list of digests at a place that the caller named. */
export type ReadLocation = (location: string) => Promise<Readable>;

/** Lists of digests beyond this size are not believed to be lists. */
const MAX_LIST_BYTES = 256 * 1024 * 1024;

/** What is about to be pulled, as far as lists may name it. */
export interface Expecting {
  readonly kind: 'file' | 'tree';
  /** The name of a single file at the destination. */
  readonly name: string;
  /** Its other name, at the source. */
  readonly nameAtSource: string;
  readonly uri: string;
}

/** Gathers what the caller, a seal at the source and a SHA256SUMS at the source expect. */
export async function readExpectations(
  request: PullRequest,
  store: Store,
  source: Expecting,
  readLocation: ReadLocation,
  signal: AbortSignal,
): Promise<Expectations> {
  const given = await givenBy(request, source, readLocation);
  const [sealed, listed] =
    source.kind === 'tree'
      ? await Promise.all([sealAt(store, signal), sumsAt(store, 'SHA256SUMS', signal)])
      : [undefined, undefined];
  const required = new Map<string, Expected['from']>();
  for (const path of sealed?.sums.keys() ?? []) required.set(path, 'seal at the source');
  if (request.expect?.kind === 'list' && source.kind === 'tree') {
    for (const path of given.keys()) required.set(path, 'caller');
  }
  // A seal whose digest the caller gave is as good as a list that the caller gave.
  const isSealGiven =
    request.expect?.kind === 'digest' && request.expect.sha256 === sealed?.treeDigest;
  return {
    required,
    of: (path) => {
      const byCaller = given.get(path);
      if (byCaller !== undefined) return { sha256: byCaller, from: 'caller' };
      const bySeal = sealed?.sums.get(path);
      if (bySeal !== undefined) {
        return { sha256: bySeal, from: isSealGiven ? 'caller' : 'seal at the source' };
      }
      const bySums = listed?.get(path);
      return bySums === undefined
        ? undefined
        : { sha256: bySums, from: 'SHA256SUMS at the source' };
    },
  };
}

async function givenBy(
  request: PullRequest,
  { kind, name, nameAtSource, uri }: Expecting,
  readLocation: ReadLocation,
): Promise<ReadonlyMap<string, string>> {
  if (request.expect === undefined) return new Map();
  if (request.expect.kind === 'digest') {
    return new Map(kind === 'file' ? [[name, request.expect.sha256]] : []);
  }
  const { location } = request.expect;
  const sums = await readGivenList(await readLocation(location), location);
  if (kind === 'tree') {
    refuseBareDigest(sums, location);
    return sums;
  }
  const names = [...new Set([nameAtSource, name])];
  return new Map([[name, digestForFile(sums, { names, uri }, location)]]);
}

/** The digests of a sealed source, and the one that names them all. */
interface Sealed {
  readonly sums: ReadonlyMap<string, string>;
  readonly treeDigest: string;
}

/**
 * The manifest that `waybill seal`, or an earlier pull, left at the source. A record folder without a seal or a
 * receipt is what an unfinished pull leaves, and so is one without sums: publishing that is an error (rule 23).
 */
async function sealAt(store: Store, signal: AbortSignal): Promise<Sealed | undefined> {
  // Most sources have neither: both are asked for at once.
  const [sums, folder] = await Promise.all([
    textAt(store, `${RECORD_FOLDER}/SHA256SUMS`, signal),
    kindAt(store, RECORD_FOLDER, signal),
  ]);
  if (sums === undefined) {
    if (folder !== 'directory') return undefined;
    throw unfinished('without a SHA256SUMS');
  }
  const [seal, receipt] = await Promise.all([
    textAt(store, `${RECORD_FOLDER}/seal.json`, signal),
    textAt(store, `${RECORD_FOLDER}/receipt.json`, signal),
  ]);
  const promised = damageAtSource(() =>
    seal !== undefined
      ? decodeSeal(seal, `${RECORD_FOLDER}/seal.json at the source`).treeDigest
      : receipt !== undefined
        ? decodeReceipt(receipt, `${RECORD_FOLDER}/receipt.json at the source`).treeDigest
        : undefined,
  );
  if (promised === undefined) throw unfinished('with neither seal nor receipt');
  if (createHash('sha256').update(sums).digest('hex') !== promised) {
    throw new WaybillError(
      'WB_DIGEST_MISMATCH',
      `${RECORD_FOLDER}/SHA256SUMS at the source is not the one that its seal names: it was edited or damaged`,
      { operation: 'plan', scope: 'source', retryable: false },
    );
  }
  const name = `${RECORD_FOLDER}/SHA256SUMS`;
  return {
    sums: await collectSums([sums], { name, code: 'WB_LOCAL_DAMAGE' }),
    treeDigest: promised,
  };
}

function unfinished(how: string): WaybillError {
  return new WaybillError(
    'WB_MISSING_FILE',
    `the source has a ${RECORD_FOLDER} folder ${how}: it was published before it was complete`,
    { operation: 'plan', scope: 'source', retryable: false },
  );
}

/** A seal that cannot be read is no damage on this disk. */
function damageAtSource<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!isDamage(error)) throw error;
    throw new WaybillError('WB_DIGEST_MISMATCH', error.message, {
      operation: 'plan',
      scope: 'source',
      retryable: false,
      cause: error,
    });
  }
}

/** A SHA256SUMS at the root is data: what is no list raises no level and is no error (rule 25). */
async function sumsAt(
  store: Store,
  path: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string> | undefined> {
  try {
    const text = await textAt(store, path, signal);
    return text === undefined ? undefined : await collectSums([text]);
  } catch (error) {
    if (error instanceof WaybillError && error.scope !== 'source') return undefined;
    throw error;
  }
}

/** The text of a small file at the source; undefined if there is none, or it cannot be one. */
async function textAt(
  store: Store,
  path: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const entry = await store.stat(path, { signal });
    if (entry.kind !== 'file' || (entry.sizeBytes ?? 0) > MAX_LIST_BYTES) return undefined;
    const opened = await store.openRead(path, { signal });
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of opened.body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_LIST_BYTES) return undefined;
      chunks.push(chunk);
    }
    const known = entry.sizeBytes ?? opened.sizeBytes;
    if (known !== undefined && known !== bytes) {
      throw new WaybillError('WB_SIZE_MISMATCH', `${path} arrived cut`, {
        operation: 'plan',
        path,
        scope: 'source',
      });
    }
    return Buffer.concat(chunks).toString('utf8');
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

async function kindAt(
  store: Store,
  path: string,
  signal: AbortSignal,
): Promise<ObjectEntry['kind'] | undefined> {
  try {
    return (await store.stat(path, { signal })).kind;
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

/** There is none, or none that could be read. */
function isAbsence(error: unknown): boolean {
  const codes = ['WB_NOT_FOUND', 'WB_PERMISSION_DENIED', 'WB_SIGN_IN_PAGE', 'WB_UNSUPPORTED'];
  return error instanceof WaybillError && codes.includes(error.code);
}
