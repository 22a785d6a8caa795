/** The list that `--expect` names: a SHA256SUMS in any of its forms, or a Waybill manifest, told apart by what is in it. */
import { collectSums, decodeManifest } from '../../manifest/index.js';
import { WaybillError } from '../../model/errors.js';

/** As many files as any list may name. */
const MAX_FILES = 2_000_000;

/** Under this name stands a digest that came without one, as many a `x.sha256` has it. It is for a single file. */
export const ANY_NAME = '';

type Chunks = AsyncIterable<Uint8Array | string>;

/**
 * Reads a list: SHA-256 by path, without the stale files of a manifest. What is no list is WB_USAGE, with what to give
 * instead.
 */
export async function readGivenList(body: Chunks, name: string): Promise<Map<string, string>> {
  const { start, all } = await peek(body);
  if (/^\s*\{\s*$/.test(start.split('\n')[0] ?? '')) {
    throw usage(
      name,
      'it is a receipt or a seal; give the manifest.ndjson or SHA256SUMS beside it',
    );
  }
  const [, bare] = /^\s*([0-9a-f]{64})\s*$/i.exec(start) ?? [];
  if (bare !== undefined) return new Map([[ANY_NAME, bare.toLowerCase()]]);
  if (!start.trimStart().startsWith('{')) {
    const sums = await collectSums(all, { name: `--expect ${name}`, maxEntries: MAX_FILES });
    if (sums.size === 0) throw usage(name, 'it names no file');
    return sums;
  }
  const sums = new Map<string, string>();
  try {
    for await (const entry of decodeManifest(all, { name })) {
      if (entry.isStale !== true) sums.set(entry.path, entry.sha256);
    }
  } catch (error) {
    if (!(error instanceof WaybillError) || error.operation !== 'parse') throw error;
    throw usage(name, error.message, error);
  }
  return sums;
}

/**
 * The digest that a list has for a single file, which it may know under the name at the source, the name at the
 * destination, or with folders before it. WB_USAGE where it has none, or cannot be told which.
 */
export function digestForFile(
  sums: ReadonlyMap<string, string>,
  file: { readonly names: readonly string[]; readonly uri: string },
  list: string,
): string {
  for (const name of [...file.names, ANY_NAME]) {
    const exact = sums.get(name);
    if (exact !== undefined) return exact;
  }
  const below = [...sums].filter(([path]) => file.names.includes(path.split('/').at(-1) ?? ''));
  const bySource = below.filter(([path]) => file.uri.endsWith(`/${path}`));
  const digests = new Set((bySource.length > 0 ? bySource : below).map(([, sha256]) => sha256));
  const [found] = digests;
  if (found !== undefined && digests.size === 1) return found;
  const wanted = file.names.map((name) => JSON.stringify(name)).join(' or ');
  if (found !== undefined) throw usage(list, `it has several files called ${wanted}`);
  const some = [...sums.keys()].slice(0, 3).map((path) => JSON.stringify(path.slice(0, 80)));
  throw usage(list, `it does not name ${wanted}, but ${some.join(', ')}`);
}

/** Refuses a list that can only be of a single file. */
export function refuseBareDigest(sums: ReadonlyMap<string, string>, list: string): void {
  const digest = sums.get(ANY_NAME);
  if (digest === undefined) return;
  throw usage(
    list,
    `it is one digest without a name; for a tree's own digest: --expect sha256:${digest}`,
  );
}

function usage(name: string, what: string, cause?: unknown): WaybillError {
  return new WaybillError('WB_USAGE', `--expect ${name}: ${what}`, { operation: 'plan', cause });
}

/** The first bytes as text, and everything, those bytes included. */
async function peek(body: Chunks): Promise<{ start: string; all: Chunks }> {
  const iterator = body[Symbol.asyncIterator]();
  const read: (Uint8Array | string)[] = [];
  let start = '';
  let isOver = false;
  while (!/\S[^]*\n/.test(start) && start.length < 65_536 && !isOver) {
    const { value, done } = await iterator.next();
    isOver = done === true;
    if (done === true) break;
    read.push(value);
    start += typeof value === 'string' ? value : Buffer.from(value).toString('latin1');
  }
  const all = async function* (): AsyncGenerator<Uint8Array | string> {
    yield* read;
    if (!isOver) yield* { [Symbol.asyncIterator]: () => iterator };
  };
  return { start, all: all() };
}
