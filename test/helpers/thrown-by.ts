/** Errors that tests look at. */
import { WaybillError } from '../../src/model/errors.js';

/** The error of a promise that must fail with one of Waybill's own. */
export async function thrownBy(promise: Promise<unknown>): Promise<WaybillError> {
  const error: unknown = await promise.then(
    (value) => new Error(`it did not fail: ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  if (error instanceof WaybillError) return error;
  throw error;
}
