/** What went wrong below a library that tells of it in words of its own. */
import { WaybillError } from '../../model/errors.js';

/** The requests of a library that signs in, sent through our own client. */
export abstract class KeptFailure {
  private failure: WaybillError | undefined;

  /** Sends, and keeps the error of a request that gets no answer. */
  protected async keeping<T>(send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      if (error instanceof WaybillError) this.failure = error;
      throw error;
    }
  }

  /** The last request that got no answer, once. */
  takeFailure(): WaybillError | undefined {
    const { failure } = this;
    this.failure = undefined;
    return failure;
  }
}
