/** What the commands that run in this process share: a signal, and progress on a line of stderr. */
import { terminalHints } from '../config.js';
import { formatBytes, formatCount, formatDuration } from '../model/sizes.js';
import { startProgress, type UnitProgress } from '../transfer/api.js';
import type { CommandContext } from './context.js';
import { safeText } from './safe-text.js';
import { StopSwitch } from './stop.js';

/** Before so long nobody wonders. */
const QUIET_FOR_MS = 700;
const FRAME_MS = 200;

/** What the work gets. */
export interface InProcess {
  readonly signal: AbortSignal;
  readonly progress: UnitProgress;
}

/** `hashing: 3 of 412 files, 1.2 GB of 8.1 GB, 2.1 s: name`. */
export function workLine(progress: UnitProgress, elapsedMs: number): string {
  const { phase, filesDone, filesTotal, bytesDone, bytesTotal, name } = progress;
  const of = filesTotal > 0 ? `${filesDone.toLocaleString('en-US')} of ` : '';
  const files = `${of}${formatCount(filesTotal > 0 ? filesTotal : filesDone, 'file')}`;
  const bytes = `${formatBytes(bytesDone)}${bytesTotal > 0 ? ` of ${formatBytes(bytesTotal)}` : ''}`;
  return `${phase}: ${files}, ${bytes}, ${formatDuration(elapsedMs)}: ${name}`;
}

/** Draws a line again and again, from when somebody may wonder, until what is answered is called. */
async function drawLine(lineNow: () => string): Promise<() => void> {
  // How wide characters are is not loaded for a pipe.
  const [{ Picture, plainLine }, { cutEnd }] = await Promise.all([
    import('./progress/picture.js'),
    import('./progress/spans.js'),
  ]);
  const picture = new Picture(process.stderr, terminalHints(true).reflows);
  const fromMs = performance.now() + QUIET_FOR_MS;
  const timer = setInterval(() => {
    if (performance.now() < fromMs) return;
    const columns = Math.max(20, (process.stderr.columns || 80) - 1);
    picture.draw([plainLine(cutEnd(safeText(lineNow()), columns))]);
  }, FRAME_MS);
  return () => {
    clearInterval(timer);
    picture.clear();
  };
}

/** Runs work that Ctrl-C ends at once, with a line about how far it is. */
export async function runInProcess<T>(
  { output }: CommandContext,
  phase: UnitProgress['phase'],
  work: (tools: InProcess) => Promise<T>,
): Promise<T> {
  const progress = startProgress(phase);
  const stop = new StopSwitch((exitCode) => process.exit(exitCode));
  const leave = (): void => {
    // The exit waits for calls to a share that hangs: then the next Ctrl-C is the system's own.
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.removeAllListeners(name);
    process.exit(stop.reason === 'terminate' ? 143 : 130);
  };
  stop.signal.addEventListener('abort', leave, { once: true });
  const isDrawn = process.stderr.isTTY && terminalHints(true).hasCursor && !output.isQuiet;
  const startMs = performance.now();
  const line = (): string => workLine(progress, performance.now() - startMs);
  const stopDrawing = isDrawn ? await drawLine(line) : undefined;
  try {
    return await work({ signal: stop.signal, progress });
  } finally {
    stopDrawing?.();
    stop.signal.removeEventListener('abort', leave);
    stop.dispose();
  }
}
