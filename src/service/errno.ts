/** Whether an error is the operating system's error with this code, such as `ENOENT`. */
export function isErrno(error: unknown, code: string): boolean {
  // By its shape, not its class: an error that crosses realms is no instance of this realm's Error.
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}
