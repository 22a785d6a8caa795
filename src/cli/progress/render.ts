/** The picture of a running pull: a pure function from what is known to lines. */
import type { InFlight, PullProgress } from '../../model/pull.js';
import { formatBytes, formatCount, formatDuration, formatRate } from '../../model/sizes.js';
import {
  cutEnd,
  cutLine,
  cutStart,
  fitPieces,
  span,
  widthOf,
  wrapText,
  type Line,
  type Tone,
} from './spans.js';
import { knowsBytes, remainingMs, stillMs, viewRate, type View } from './view.js';

/** What the terminal can take. */
export interface Frame {
  readonly columns: number;
  /** Lines that may be used for files in flight. */
  readonly maxFiles: number;
  readonly isUnicode: boolean;
}

const MAX_BAR_COLUMNS = 40;
const NAME_COLUMNS = 44;
const SPINNER_MS = 120;

function spinner(nowMs: number, isUnicode: boolean): string {
  const frames = isUnicode
    ? ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
    : ['|', '/', '-', '\\'];
  return frames[Math.floor(nowMs / SPINNER_MS) % frames.length] ?? '';
}

/** Share done, rounded down: 100 only when nothing is left. */
function percent(done: number, total: number): number {
  return total <= 0 ? 0 : Math.min(100, Math.floor((done * 100) / total));
}

function barLine(label: string, done: number, total: number, frame: Frame): Line {
  const head = `${label}  `;
  const tail = `  ${percent(done, total)} %`;
  const room = frame.columns - widthOf(head) - widthOf(tail);
  const width = Math.min(MAX_BAR_COLUMNS, room);
  if (width < 8) return cutLine([span(label, 'bold'), span(tail)], frame.columns);
  const filled = Math.floor((width * Math.min(done, total)) / Math.max(total, 1));
  const [full, empty] = frame.isUnicode ? ['━', '─'] : ['#', '.'];
  return [
    span(label, 'bold'),
    span('  '),
    span((full ?? '').repeat(filled), 'good'),
    span((empty ?? '').repeat(width - filled), 'dim'),
    span(tail),
  ];
}

function numbersLine(view: View, progress: PullProgress, nowMs: number, frame: Frame): Line {
  const { bytesDone, bytesPlanned, isPlanComplete } = progress;
  const total = isPlanComplete ? '' : ' so far, still listing';
  const bytes = knowsBytes(progress)
    ? `${formatBytes(bytesDone)} of ${formatBytes(bytesPlanned)}${total}`
    : `${formatBytes(bytesDone)}${total}`;
  const pieces: Line[] = [[span(bytes)]];
  const rate = viewRate(view, nowMs);
  const still = stillMs(view, nowMs);
  if (still !== undefined) pieces.push([span(`nothing for ${formatDuration(still)}`, 'warn')]);
  else if (rate !== undefined) pieces.push([span(formatRate(rate))]);
  const left = still === undefined ? remainingMs(view, nowMs) : undefined;
  if (left !== undefined) pieces.push([span(`${formatDuration(left)} left`)]);
  if (!knowsBytes(progress)) pieces.push([span('the source does not say how much there is')]);
  return fitPieces(pieces, ', ', frame.columns);
}

function countsLine(progress: PullProgress, frame: Frame): Line {
  const { filesDone, filesPlanned, filesKept, filesFailed, retries } = progress;
  const pieces: Line[] = [
    [span(`${filesDone.toLocaleString('en-US')} of ${formatCount(filesPlanned, 'file')}`)],
  ];
  if (filesFailed > 0) pieces.push([span(`${filesFailed.toLocaleString('en-US')} failed`, 'bad')]);
  if (filesKept > 0) pieces.push([span(`${filesKept.toLocaleString('en-US')} already here`)]);
  if (retries > 0) {
    const shown = retries === 1 ? '1 retry' : `${retries.toLocaleString('en-US')} retries`;
    pieces.push([span(shown, 'warn')]);
  }
  return fitPieces(pieces, ', ', frame.columns);
}

function fileLine(file: InFlight, frame: Frame): Line {
  const indent = '  ';
  const nameColumns = Math.min(NAME_COLUMNS, Math.floor(frame.columns / 2));
  const name = cutStart(span(file.name).text, nameColumns);
  const padded = name + ' '.repeat(Math.max(0, nameColumns - widthOf(name)));
  const share = `${String(percent(file.bytesDone, file.bytesTotal)).padStart(3)} %`;
  const of = file.attempt > 1 ? '' : ` of ${formatBytes(file.bytesTotal)}`;
  const size = file.bytesTotal > 0 ? `${share}${of}` : formatBytes(file.bytesDone);
  const again =
    file.attempt > 1
      ? `  try ${file.attempt}${file.lastFailure === undefined ? '' : `: ${file.lastFailure}`}`
      : '';
  const line = [span(`${indent}${padded}  `, 'dim'), span(size, 'dim'), span(again, 'warn')];
  return cutLine(line, frame.columns);
}

/** Those in trouble first, then those with the most left to do. */
function slowestFirst(files: readonly InFlight[]): InFlight[] {
  const left = (file: InFlight): number => file.bytesTotal - file.bytesDone;
  return [...files].sort(
    (a, b) => Number(b.attempt > 1) - Number(a.attempt > 1) || left(b) - left(a),
  );
}

function fileLines(files: readonly InFlight[], frame: Frame): Line[] {
  const shown = slowestFirst(files).slice(0, frame.maxFiles);
  const lines = shown.map((file) => fileLine(file, frame));
  const hidden = files.length - shown.length;
  if (hidden > 0 && shown.length > 0) {
    const again = slowestFirst(files)
      .slice(frame.maxFiles)
      .filter((file) => file.attempt > 1).length;
    const tried = again === 0 ? '' : `, ${again.toLocaleString('en-US')} tried again`;
    const more = `  and ${hidden.toLocaleString('en-US')} more${tried}`;
    lines.push(cutLine([span(more, again === 0 ? 'dim' : 'warn')], frame.columns));
  }
  return lines;
}

/** Why something that is no file is being tried again. */
function troubleLines(units: readonly InFlight[], frame: Frame): Line[] {
  return units
    .filter((unit) => unit.attempt > 1)
    .slice(0, 1)
    .map(({ attempt, lastFailure = '' }) =>
      cutLine([span(`  try ${attempt}: ${lastFailure}`, 'warn')], frame.columns),
    );
}

function standing(label: string, reason: string, tone: Tone, next: string, frame: Frame): Line[] {
  const text = reason === '' ? label : `${label}: ${reason}`;
  const lines = wrapText(span(text).text, frame.columns, 4).map((line) => [span(line, tone)]);
  const then = wrapText(next, frame.columns, 2).map((line) => [span(line, 'dim')]);
  return [...lines, ...then];
}

function phaseLines(view: View, progress: PullProgress, nowMs: number, frame: Frame): Line[] {
  const { phase, reason = '', filesPlanned, bytesPlanned, bytesDone } = progress;
  const spin = spinner(nowMs, frame.isUnicode);
  const spinning = (text: string): Line => [
    span(spin, 'good'),
    span(cutEnd(span(` ${text}`).text, frame.columns - 1)),
  ];
  switch (phase) {
    case 'resolving':
      return [spinning(`resolving ${view.source}`)];
    case 'listing':
      return [
        spinning(
          filesPlanned === 0
            ? `listing ${view.source}`
            : `listing: ${formatCount(filesPlanned, 'file')}, ${formatBytes(bytesPlanned)} so far`,
        ),
      ];
    case 'fetching':
    case 're-checking': {
      const label = phase === 'fetching' ? 'fetching' : 're-checking what is on disk';
      const first = progress.isPlanComplete
        ? knowsBytes(progress)
          ? barLine(label, bytesDone, bytesPlanned, frame)
          : barLine(label, progress.filesDone, filesPlanned, frame)
        : spinning(label);
      return [first, numbersLine(view, progress, nowMs, frame), countsLine(progress, frame)];
    }
    case 'sealing':
      return [
        spinning(`sealing: ${formatCount(progress.filesDone, 'file')}, ${formatBytes(bytesDone)}`),
      ];
    case 'paused':
      return standing('paused', reason, 'warn', 'It goes on with: waybill resume', frame);
    case 'blocked': {
      const next = 'It tries again by itself; at once with: waybill retry';
      const counts = filesPlanned === 0 ? [] : [countsLine(progress, frame)];
      return [...standing('blocked', reason, 'bad', next, frame), ...counts];
    }
    case 'waiting for a worker':
      return [spinning(reason === '' ? phase : `${phase}: ${reason}`)];
    case 'done':
      return [spinning('done')];
  }
}

/** The lines of a frame, none wider than its columns; `nowMs` is a monotonic clock's. */
export function renderLines(view: View, frame: Frame, nowMs: number): Line[] {
  const progress = view.status?.progress;
  if (!progress) {
    const text = view.prelude ?? `starting the pull of ${view.source}`;
    return [
      cutLine([span(spinner(nowMs, frame.isUnicode), 'good'), span(` ${text}`)], frame.columns),
    ];
  }
  const lines = phaseLines(view, progress, nowMs, frame);
  if (progress.phase === 'fetching' || progress.phase === 're-checking') {
    lines.push(...fileLines(view.status?.inFlight ?? [], frame));
  } else if (progress.phase === 'resolving' || progress.phase === 'listing') {
    const units = view.status?.inFlight ?? [];
    const checked = units.filter(({ bytesTotal }) => bytesTotal > 0);
    lines.push(...troubleLines(units, frame), ...fileLines(checked, frame));
  }
  if (view.hint !== undefined && progress.phase !== 'paused') {
    const pieces = view.hint.split(', ').map((piece) => [span(piece, 'dim')]);
    lines.push(fitPieces(pieces, ', ', frame.columns));
  }
  return lines;
}

/** A frame as text without colour. */
export function render(view: View, columns: number, nowMs: number, isUnicode = true): string[] {
  return renderLines(view, { columns, maxFiles: 5, isUnicode }, nowMs).map((line) =>
    line
      .map((part) => (isUnicode ? part.text : part.text.replaceAll('…', '~')))
      .join('')
      .trimEnd(),
  );
}
