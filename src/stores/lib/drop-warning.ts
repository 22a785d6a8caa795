/** Warnings of a library that a user can do nothing about. */

/** The patterns that this process drops. */
const DROPPED = Symbol.for('waybill.dropped-warnings');

/** Keeps the warnings whose text matches from stderr, in this process; every other one passes. */
export function dropWarning(pattern: RegExp): void {
  const known = Reflect.get(process, DROPPED) as RegExp[] | undefined;
  if (known !== undefined) {
    if (!known.some(({ source }) => source === pattern.source)) known.push(pattern);
    return;
  }
  const patterns = [pattern];
  Reflect.set(process, DROPPED, patterns);
  const emit = process.emitWarning.bind(process) as (...rest: unknown[]) => void;
  process.emitWarning = (warning: string | Error, ...rest: unknown[]): void => {
    const text = typeof warning === 'string' ? warning : warning.message;
    if (patterns.some((dropped) => dropped.test(text))) return;
    emit(warning, ...rest);
  };
}
