/** Checks of the machine: Node, platform, clock. */
import { statSync } from 'node:fs';
import { arch, platform, release } from 'node:os';
import type { DoctorCheck } from './doctor.js';

/** As `engines` of the package says. */
const OLDEST_NODE: readonly [number, number] = [20, 20];

/** Node is new enough. */
export function checkNode(version: string = process.versions.node): DoctorCheck {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  const isNew = major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
  const finding = `Node ${version} at ${process.execPath}`;
  if (isNew) return { name: 'node', result: 'ok', finding };
  return {
    name: 'node',
    result: 'problem',
    finding: `${finding}; Waybill needs ${OLDEST_NODE.join('.')} or later: install Node 22 or later`,
  };
}

/** A platform that Temporal's SDK has a binary for. */
export function checkPlatform(system: string = platform(), machine: string = arch()): DoctorCheck {
  const name = 'platform';
  const finding = `${system} ${machine} ${release()}`;
  if (system === 'win32') {
    return { name, result: 'problem', finding: `${finding}: run Waybill in WSL (wsl --install)` };
  }
  if (!['linux', 'darwin'].includes(system) || !['x64', 'arm64'].includes(machine)) {
    return {
      name,
      result: 'problem',
      finding: `${finding}: Temporal's SDK has no binary for it; use Linux or macOS on x64 or arm64`,
    };
  }
  if (system === 'linux' && !hasGlibc()) {
    return {
      name,
      result: 'problem',
      finding:
        `${finding} without glibc: Temporal's SDK needs it; use an image with it, such as ` +
        'node:22-bookworm-slim instead of node:22-alpine',
    };
  }
  return { name, result: 'ok', finding };
}

/** TLS and signed requests fail when the clock is far off; one that is older than this program is. */
export function checkClock(nowMs: number = Date.now()): DoctorCheck {
  const builtAtMs = statSync(new URL(import.meta.url)).mtimeMs;
  const finding = `it is ${new Date(nowMs).toISOString()}`;
  if (nowMs >= builtAtMs - 24 * 3_600_000) return { name: 'clock', result: 'ok', finding };
  return {
    name: 'clock',
    result: 'problem',
    finding:
      `${finding}, before this program was installed: certificates and signatures will be refused; ` +
      'set the clock of this machine',
  };
}

function hasGlibc(): boolean {
  const report: unknown = process.report.getReport();
  if (typeof report !== 'object' || report === null || !('header' in report)) return true;
  const { header } = report;
  return typeof header === 'object' && header !== null && 'glibcVersionRuntime' in header;
}
