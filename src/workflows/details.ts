/** What Temporal's page of a pull shows under "current details", as Markdown. */
import type { PullProgress } from '../model/pull.js';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** A size for people: `1.5 GiB`. */
export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit] ?? 'B'}`;
}

/** Keeps a name from the source from becoming Markdown of its own. */
function quote(text: string): string {
  return `\`${text.replaceAll('`', "'").replaceAll('\n', '␤')}\``;
}

/** The details of a pull at work. */
export function progressMarkdown(progress: PullProgress): string {
  const { filesDone, filesPlanned, bytesDone, bytesPlanned, filesKept, filesFailed } = progress;
  const more = progress.isPlanComplete ? '' : ' (listing goes on)';
  const lines = [
    `**${progress.phase}**${progress.reason === undefined ? '' : `: ${progress.reason}`}`,
    `${filesDone} of ${filesPlanned} files, ${sizeText(bytesDone)} of ${sizeText(bytesPlanned)}${more}`,
  ];
  if (filesKept > 0) lines.push(`${filesKept} files were in place already`);
  if (filesFailed > 0) lines.push(`${filesFailed} files failed:`);
  const failures = progress.failures.map(
    ({ path, code, message }) => `- ${quote(path)} ${code}: ${message}`,
  );
  return [lines.join('\n\n'), failures.join('\n')].filter((part) => part !== '').join('\n\n');
}
