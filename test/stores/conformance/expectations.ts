/** What the cases of the suite share: collecting, reading whole, and looking at errors. */
import { createHash } from 'node:crypto';
import { expect } from '@jest/globals';
import { isErrorCode, WaybillError } from '../../../src/model/errors.js';
import type { ErrorCode } from '../../../src/model/errors.js';
import { compareByBytes } from '../../../src/model/object-path.js';
import type { ObjectEntry } from '../../../src/model/object-entry.js';
import type { ReadOptions, Store } from '../../../src/stores/store.js';
import { checksumOf, md5OfCrcs } from '../../helpers/checksums.js';
import type { OpenOptions, Testbed } from './testbed.js';

/** The testbed of the running suite. */
export type Bench = () => Testbed;

/** Opens a store, gives it to `use`, and closes it whatever happens. */
export async function withStore<T>(
  bench: Bench,
  use: (store: Store) => Promise<T>,
  options: OpenOptions = {},
): Promise<T> {
  const store = await bench().open(options);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/** A whole listing, sorted by the bytes of the path. */
export async function listAll(
  store: Store,
  prefix: string,
  recursive: boolean,
): Promise<ObjectEntry[]> {
  const entries: ObjectEntry[] = [];
  for await (const entry of store.list(prefix, { recursive })) entries.push(entry);
  return entries.sort((a, b) => compareByBytes(a.path, b.path));
}

/** The paths of the files in a listing. */
export function filePaths(entries: readonly ObjectEntry[]): string[] {
  return entries.filter((entry) => entry.kind === 'file').map((entry) => entry.path);
}

/** Reads a body to its end, holding the answer to what it announced. */
export async function readAll(
  store: Store,
  path: string,
  options: ReadOptions = {},
): Promise<Buffer> {
  const opened = await store.openRead(path, options);
  const chunks: Buffer[] = [];
  for await (const chunk of opened.body) chunks.push(Buffer.from(chunk as Uint8Array));
  const bytes = Buffer.concat(chunks);
  if (opened.lengthBytes !== undefined) expect(bytes.length).toBe(opened.lengthBytes);
  return bytes;
}

/** Compares large buffers without printing them. */
export function expectSameBytes(actual: Buffer, expected: Buffer): void {
  const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
  expect({ length: actual.length, sha256: sha256(actual) }).toEqual({
    length: expected.length,
    sha256: sha256(expected),
  });
}

/** Every digest that an entry or an answer carries is that of the bytes. */
export function expectTrueDigests(digests: ObjectEntry['digests'], bytes: Buffer): void {
  for (const [name, value] of Object.entries(digests ?? {})) {
    const shape = value.slice(0, Math.max(0, value.lastIndexOf('/')));
    const isOfCrcs = name === 'md5crc';
    expect([name, value]).toEqual([
      name,
      isOfCrcs ? md5OfCrcs(shape, bytes) : checksumOf(name, bytes),
    ]);
  }
}

/**
 * The error of a promise that must reject with one of these codes. Also holds what every error of a store keeps:
 * it names its store and its operation, and shows no secret.
 */
export async function failureOf(
  bench: Bench,
  codes: readonly ErrorCode[],
  promise: Promise<unknown>,
): Promise<WaybillError> {
  const error: unknown = await promise.then(
    (value) => new Error(`it did not fail, but answered ${JSON.stringify(value)?.slice(0, 300)}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof WaybillError)) throw error;
  expect(isErrorCode(error.code)).toBe(true);
  if (!codes.includes(error.code)) throw error;
  expect(error.store).toBeTruthy();
  expect(error.operation).toBeTruthy();
  expectNoSecret(bench, error);
  return error;
}

/** Neither the message nor the stack of an error, nor those of its causes, hold a secret of the testbed. */
export function expectNoSecret(bench: Bench, error: unknown): void {
  const secrets = bench().secrets ?? [];
  for (let current: unknown = error, depth = 0; current instanceof Error && depth < 8; depth += 1) {
    const text = `${current.message}\n${current.stack ?? ''}`;
    for (const secret of secrets) expect(text).not.toContain(secret);
    current = current.cause;
  }
}

/** Waits for a condition, looking every 20 ms. */
export async function eventually(what: string, isTrue: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!isTrue()) {
    if (performance.now() > deadlineMs) throw new Error(`did not happen within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
