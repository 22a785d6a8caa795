/** What the tests of this store share: resolving and opening as the engine does, and reading. */
import { expect } from '@jest/globals';
import { WaybillError } from '../../../src/model/errors.js';
import type { ErrorCode } from '../../../src/model/errors.js';
import { mlflowFactory } from '../../../src/stores/mlflow/index.js';
import type { ObjectEntry } from '../../../src/model/object-entry.js';
import type {
  ConnectionSecrets,
  ConnectionSettings,
  ReadOptions,
  Resolution,
  Store,
} from '../../../src/stores/store.js';

/** Settings and secrets beside the tracking server. */
export interface Extra {
  readonly settings?: ConnectionSettings;
  readonly secrets?: ConnectionSecrets;
}

/** Resolves a reference at a server. */
export async function resolve(
  trackingUri: string,
  uri: string,
  { settings = {}, secrets = {} }: Extra = {},
): Promise<Resolution> {
  const address = { uri, settings: { MLFLOW_TRACKING_URI: trackingUri, ...settings }, secrets };
  return (await mlflowFactory.resolve?.(address, {})) as Resolution;
}

/** Opens what a reference was resolved to. */
export async function open(
  trackingUri: string,
  resolution: Resolution,
  { settings = {}, secrets = {} }: Extra = {},
): Promise<Store> {
  const merged = { MLFLOW_TRACKING_URI: trackingUri, ...settings, ...resolution.settings };
  return mlflowFactory.open({ uri: resolution.uri, settings: merged, secrets });
}

/** Resolves, opens, and closes what `use` was given. */
export async function withReference<T>(
  trackingUri: string,
  uri: string,
  use: (store: Store, resolution: Resolution) => Promise<T>,
  extra: Extra = {},
): Promise<T> {
  const resolution = await resolve(trackingUri, uri, extra);
  const store = await open(trackingUri, resolution, extra);
  try {
    return await use(store, resolution);
  } finally {
    await store.close();
  }
}

/** A whole listing. */
export async function listAll(store: Store, prefix = ''): Promise<ObjectEntry[]> {
  const entries: ObjectEntry[] = [];
  for await (const entry of store.list(prefix, { recursive: true })) entries.push(entry);
  return entries;
}

/** The paths of a listing's files. */
export async function filesOf(store: Store): Promise<string[]> {
  return (await listAll(store)).filter(({ kind }) => kind === 'file').map(({ path }) => path);
}

/** A body as text. */
export async function textOf(
  store: Store,
  path: string,
  options: ReadOptions = {},
): Promise<string> {
  const { body } = await store.openRead(path, options);
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}

/** The error of a promise that must reject with this code. */
export async function failureOf(code: ErrorCode, promise: Promise<unknown>): Promise<WaybillError> {
  const error: unknown = await promise.then(
    (value) => new Error(`it did not fail, but answered ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof WaybillError)) throw error;
  expect({ code: error.code, message: error.message }).toEqual({ code, message: error.message });
  expect(error.store).toBe('mlflow');
  expect(error.operation).toBeTruthy();
  return error;
}
