/** Closing what was written, exactly once: a close that fails has closed the file all the same. */
import { closeSync } from 'node:fs';
import { toDestinationError } from '../destination-error.js';

/** Closes a file; what the close reports is dropped. For what was only read, or has failed already. */
export function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch (error) {
    void error;
  }
}

/**
 * Does something with an open file and closes it. What the close reports is a flush that failed (rule 14), and it is
 * never repeated: the number may be another file's by then, of another thread.
 * @throws what `use` throws; WB_NO_SPACE, WB_DESTINATION_FAILED and their kin for a close that failed
 */
export async function whileOpen<T>(
  fd: number,
  path: string,
  use: (fd: number) => Promise<T>,
): Promise<T> {
  let result: T;
  try {
    result = await use(fd);
  } catch (error) {
    closeQuietly(fd);
    throw error;
  }
  try {
    closeSync(fd);
  } catch (error) {
    throw toDestinationError(error, 'flush', path);
  }
  return result;
}
