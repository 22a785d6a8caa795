import { mkdtemp, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { WaybillError } from '../model/errors.js';
import { makeFolders } from './make-folders.js';
import { runTool } from './run-tool.js';

export interface GoInstall {
  /** The package with its version: `github.com/temporalio/cli/cmd/temporal@v1.5.1`. */
  readonly package: string;
  /** Where the binary ends up; put in place with one rename, its folder is made. */
  readonly target: string;
  /** What the lines of progress call it: `Temporal`. */
  readonly name: string;
  /** Such as `-X path.Version=1.5.1`. */
  readonly linkerFlags?: string;
  /** How many packages are compiled in all, for a percentage; a guess is enough. */
  readonly packageCount: number;
  readonly onProgress: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

const REPORT_EVERY_MS = 10_000;

/**
 * Go refuses to work without a HOME for its caches; a container's random uid often has none. What `-s` leaves out need not be made
 * first: without it the compiler takes a tenth less.
 */
const SCRIPT = `
[ -n "\${HOME:-}" ] && [ -w "$HOME" ] || { HOME="$1"; export HOME; }
GOBIN="$1" CGO_ENABLED=0 GOFLAGS="-trimpath -modcacherw" exec go install -v -gcflags=all=-dwarf=false -ldflags "$3" "$2"`;

/** The version that `go` says of itself, such as `go1.26.8`; undefined when there is no Go. */
export async function findGo(signal?: AbortSignal): Promise<string | undefined> {
  const { exitCode, output } = await runTool({ command: 'go', args: ['env', 'GOVERSION'], signal });
  return exitCode === 0 ? output.trim() : undefined;
}

/**
 * Builds a Go program from the module proxy into `target`. Nothing but the proxy that Go is configured
 * for is asked. The binary appears under its name only when it is whole.
 * @throws WaybillError WB_UNAVAILABLE with the last lines of Go when it fails
 */
export async function goInstall(install: GoInstall): Promise<void> {
  const folder = dirname(install.target);
  makeFolders(folder);
  const scratch = await mkdtemp(join(folder, '.go-'));
  const started = performance.now();
  let fetched = 0;
  let compiled = 0;
  const timer = setInterval(() => {
    const seconds = Math.round((performance.now() - started) / 1000);
    const percent = Math.min(99, Math.round((100 * compiled) / install.packageCount));
    install.onProgress(
      compiled === 0
        ? `${install.name}: ${fetched} modules fetched, ${seconds} s`
        : `${install.name}: compiling, ${percent} %, ${seconds} s`,
    );
  }, REPORT_EVERY_MS);
  try {
    const { exitCode, output } = await runTool({
      command: 'sh',
      args: ['-c', SCRIPT, 'sh', scratch, install.package, `-s -w ${install.linkerFlags ?? ''}`],
      cwd: scratch,
      signal: install.signal,
      onLine: (line) => {
        if (line.startsWith('go: downloading')) fetched += 1;
        else if (!line.startsWith('go: ')) compiled += 1;
      },
    });
    if (exitCode !== 0) throw failed(install, output);
    const binary = basename(install.package.replace(/@[^@]*$/, ''));
    await rename(join(scratch, binary), install.target);
  } finally {
    clearInterval(timer);
    await rm(scratch, { recursive: true, force: true });
  }
}

function failed({ name, package: wanted }: GoInstall, output: string): WaybillError {
  const last = output.trimEnd().split('\n').slice(-4).join('\n');
  return new WaybillError(
    'WB_UNAVAILABLE',
    `${name} could not be built: \`go install ${wanted}\` failed:\n${last}`,
    { operation: 'install' },
  );
}
