/** Single keys from the terminal, only while this process is in its foreground. */
import { readFileSync } from 'node:fs';
import type { ReadStream } from 'node:tty';

/** What keys do. Ctrl-C and Ctrl-Z keep their meaning although the terminal no longer gives it to them. */
export interface KeyActions {
  readonly onDetach: () => void;
  readonly onInterrupt: () => void;
}

/** Whether this process group owns the terminal: reading it from the background would stop the process. */
function isForeground(): boolean {
  if (process.platform !== 'linux') return true;
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8');
    // The name in parentheses may hold anything; fields are counted after it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [processGroup, terminalGroup] = [fields[2], fields[5]];
    return processGroup !== undefined && processGroup === terminalGroup;
  } catch {
    return false;
  }
}

/** Listens for keys until the returned function is called, which gives the terminal back as it was. */
export function listenForKeys(stdin: ReadStream, actions: KeyActions): () => void {
  let isListening = false;
  const onData = (data: Buffer): void => {
    const text = data.toString('latin1');
    // Two that arrive together are two.
    if (text.includes('\u0003')) [...text.matchAll(/\u0003/g)].forEach(actions.onInterrupt);
    else if (text.includes('\u001a')) suspend();
    else if (text.toLowerCase() === 'd') actions.onDetach();
  };
  const stop = (): void => {
    if (!isListening) return;
    isListening = false;
    stdin.off('data', onData);
    stdin.setRawMode(false);
    stdin.pause();
  };
  const start = (): void => {
    if (isListening || !stdin.isTTY || !isForeground()) return;
    isListening = true;
    stdin.setRawMode(true);
    stdin.on('data', onData);
    stdin.resume();
    stdin.unref();
  };
  const suspend = (): void => {
    stop();
    process.kill(process.pid, 'SIGTSTP');
  };
  process.on('SIGCONT', start);
  start();
  return () => {
    process.off('SIGCONT', start);
    stop();
  };
}
