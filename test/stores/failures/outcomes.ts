/** How a read of the scripted file ended, and what every error of a store keeps. */
import { expect } from '@jest/globals';
import type { WaybillError } from '../../../src/model/errors.js';
import type { Pin } from '../../../src/model/object-entry.js';
import type { Store } from '../../../src/stores/store.js';
import { expectSameBytes } from '../conformance/expectations.js';
import { FILE, NAME } from './dialects.js';
import { PART } from './reading.js';
import type { Outcome } from './reading.js';
import { thrownBy } from '../../helpers/thrown-by.js';

/** Reads the file or a part of it, and holds every success against its bytes. */
export async function read(store: Store, pin: Pin | undefined, isRange: boolean): Promise<Outcome> {
  const { offsetBytes, lengthBytes } = isRange ? PART : { offsetBytes: 0, lengthBytes: undefined };
  const opened = await store.openRead(NAME, {
    ...(isRange ? PART : {}),
    ...(pin === undefined ? {} : { pin }),
  });
  const chunks: Buffer[] = [];
  for await (const chunk of opened.body) chunks.push(Buffer.from(chunk as Uint8Array));
  // The end of a connection proves nothing, and another size is known to be none of the file: the engine refuses both.
  if (opened.ending === 'close') return 'WB_UNAVAILABLE';
  if (opened.sizeBytes !== undefined && opened.sizeBytes !== FILE.length) return 'WB_SIZE_MISMATCH';
  const isWhole = opened.offsetBytes === 0;
  if (!isWhole) expect(opened.offsetBytes).toBe(offsetBytes);
  const end = isWhole || lengthBytes === undefined ? FILE.length : offsetBytes + lengthBytes;
  expectSameBytes(Buffer.concat(chunks), FILE.subarray(opened.offsetBytes, end));
  return 'right';
}

/** The error of a promise that must fail with one of the store's. */
export async function errorOf(promise: Promise<unknown>): Promise<WaybillError> {
  const error = await thrownBy(promise);
  expect(error.store).toBeTruthy();
  return error;
}
