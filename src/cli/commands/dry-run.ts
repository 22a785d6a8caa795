/** `waybill pull --dry-run`: per file why it would be fetched or kept, and the totals. Nothing is written. */
import { exitCodeOf, type ErrorCode } from '../../model/errors.js';
import { redactUri } from '../../model/artifact-uri.js';
import { formatBytes, formatCount } from '../../model/sizes.js';
import { nameSpecial } from '../../model/special.js';
import { StoreRegistry } from '../../stores/registry.js';
import type { Planned } from '../../transfer/plan/planner.js';
import { previewPull } from '../../transfer/preview.js';
import type { CommandContext } from '../context.js';
import { EVENT_VERSION } from '../events.js';
import { runInProcess } from '../in-process.js';
import type { BuiltRequest } from '../request/build.js';

type Verdict = 'fetch' | 'keep' | 'skip' | 'conflict' | 'refused';

/** One file of the preview. */
interface PreviewLine {
  readonly path: string;
  readonly verdict: Verdict;
  readonly reason: string;
  readonly sizeBytes: number | undefined;
  readonly code?: ErrorCode;
}

function lineOf(planned: Planned): PreviewLine | undefined {
  if (planned.kind === 'record') return undefined;
  if (planned.kind === 'special') {
    const reason = `${nameSpecial(planned.special)}, never opened`;
    return { path: planned.path, verdict: 'skip', reason, sizeBytes: undefined };
  }
  if (planned.kind === 'refused') {
    const { message: reason, code } = planned.error;
    return { path: planned.path, verdict: 'refused', reason, code, sizeBytes: undefined };
  }
  const { path, action, reason, sizeBytes } = planned.entry;
  if (action === 'make') return undefined;
  const line = { path, verdict: action, reason, sizeBytes };
  return action === 'conflict' ? { ...line, code: 'WB_CONFLICT' } : line;
}

class Totals {
  readonly files: Record<Verdict, number> = { fetch: 0, keep: 0, skip: 0, conflict: 0, refused: 0 };
  readonly codes: ErrorCode[] = [];
  bytes = 0;
  keptBytes = 0;
  unknownSizes = 0;

  add(line: PreviewLine): void {
    this.files[line.verdict] += 1;
    if (line.code !== undefined && this.codes.length < 1000) this.codes.push(line.code);
    if (line.verdict === 'fetch') this.bytes += line.sizeBytes ?? 0;
    if (line.verdict === 'fetch' && line.sizeBytes === undefined) this.unknownSizes += 1;
    if (line.verdict === 'keep') this.keptBytes += line.sizeBytes ?? 0;
  }

  text(): string {
    const { fetch, keep, skip, conflict, refused } = this.files;
    const size = `${formatBytes(this.bytes)}${this.unknownSizes > 0 ? ' or more' : ''}`;
    const parts = [`${formatCount(fetch, 'file')}, ${size} to fetch`];
    if (keep > 0) parts.push(`${keep} kept (${formatBytes(this.keptBytes)})`);
    if (skip > 0) parts.push(`${skip} skipped`);
    if (conflict > 0) parts.push(formatCount(conflict, 'conflict'));
    if (refused > 0) parts.push(`${refused} refused`);
    return parts.join(', ');
  }

  /** A conflict stops a pull before anything is fetched; a refused name only its own file. */
  exitCode(): number {
    return this.files.conflict > 0 ? 9 : exitCodeOf(this.codes, this.files.fetch + this.files.keep);
  }
}

function tell({ output }: CommandContext, line: PreviewLine): void {
  const { path, verdict, reason, sizeBytes } = line;
  if (output.isJson) {
    const time = new Date().toISOString();
    const size = sizeBytes ?? null;
    output.json({
      v: EVENT_VERSION,
      type: 'planned',
      time,
      pullId: null,
      path,
      verdict,
      reason,
      sizeBytes: size,
    });
    return;
  }
  if (output.isQuiet) return;
  const size = sizeBytes === undefined ? '?' : formatBytes(sizeBytes);
  output.result(
    `${verdict.padEnd(8)}  ${size.padStart(7)}  ${path.replaceAll('\n', '\\n')}  (${reason})`,
  );
}

/** Prints the preview. The exit code is that of the pull as far as it can be told: 9 for conflicts, 11 for names. */
export async function runDryRun(context: CommandContext, built: BuiltRequest): Promise<number> {
  const { output } = context;
  const totals = new Totals();
  const { request, address } = built;
  const destination = await runInProcess(context, 'listing', async (tools) => {
    const sources = new StoreRegistry();
    const preview = await previewPull({ request, address, sources }, { ...tools, attempt: 1 });
    const { resolved } = preview;
    output.say(`${redactUri(request.source.uri)} -> ${preview.destination} (dry run)`);
    if (resolved.uri !== request.source.uri) output.say(`which is ${redactUri(resolved.uri)}`);
    for await (const planned of preview.planned) {
      const line = lineOf(planned);
      if (line === undefined) continue;
      totals.add(line);
      tell(context, line);
      await output.caughtUp();
    }
    return preview.destination;
  });
  const exitCode = totals.exitCode();
  if (output.isJson) {
    output.json({
      v: EVENT_VERSION,
      type: 'result',
      time: new Date().toISOString(),
      pullId: null,
      ok: exitCode === 0,
      exitCode,
      code: totals.codes[0] ?? null,
      message: totals.text(),
      destination,
      treeDigest: null,
      failures: [],
      isDryRun: true,
      files: totals.files,
      bytes: totals.bytes,
    });
  } else output.result(totals.text());
  return exitCode;
}
