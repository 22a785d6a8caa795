/** Closing where the answer does not matter any more: nothing was written, or the failure is known already. */
import { closeSync } from 'node:fs';

/** Closes a file; what the close reports is dropped. */
export function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch (error) {
    void error;
  }
}
