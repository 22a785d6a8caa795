/** The shares that work depends on: which they are, and whether they answer, without waiting for them. */
import { spawnSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { readFile, readlink, statfs } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { isShare, mountAbove, MOUNT_TABLE, mountsOf, type Mount } from '../model/mount-table.js';
import { settled, within } from '../model/within.js';

/** More links on the way than the kernel follows. */
const MAX_LINKS = 40;

/** A share that has said nothing for so long hangs. */
const ANSWERS_WITHIN_MS = 5_000;

/** The mounts of this process; none where that cannot be told. */
export async function readMounts(): Promise<readonly Mount[]> {
  return readFile(MOUNT_TABLE, 'utf8').then(mountsOf, () => []);
}

/** How far a path goes before it is on a share. */
export interface Way {
  /** Absent: it stays on this host. */
  readonly share?: Mount;
  /** The path, its links followed as far as the share. */
  readonly path: string;
}

/**
 * The share that an absolute path leads to; undefined where it stays on this host. Follows symbolic links up to the share
 * and touches nothing on it.
 */
export async function shareOf(path: string): Promise<Mount | undefined> {
  const way = wayAlong(path, await readMounts());
  let step = way.next();
  while (step.done !== true) {
    step = way.next(await readlink(step.value).catch(() => undefined));
  }
  return step.value.share;
}

/** The same at once, with the path as it is there: for commands, which have nothing else to do. */
export function wayTo(path: string): Way {
  const way = wayAlong(path, mountsNow());
  let step = way.next();
  while (step.done !== true) step = way.next(linkAt(step.value));
  return step.value;
}

function mountsNow(): readonly Mount[] {
  try {
    return mountsOf(readFileSync(MOUNT_TABLE, 'utf8'));
  } catch {
    return [];
  }
}

function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** Asks for each name where its link leads, if it is one. */
function* wayAlong(
  path: string,
  mounts: readonly Mount[],
): Generator<string, Way, string | undefined> {
  if (!mounts.some(isShare)) return { path };
  const rest = segmentsOf(path);
  let links = 0;
  let at = '/';
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    const next = join(at, name);
    const mount = mountAbove(mounts, next);
    if (mount !== undefined && isShare(mount)) return { share: mount, path: join(next, ...rest) };
    const target = yield next;
    if (target === undefined) {
      at = next;
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) break;
    rest.unshift(...segmentsOf(target));
    if (isAbsolute(target)) at = '/';
  }
  return { path };
}

/**
 * Whether shares answer. Each is asked how much room it has, which no client remembers; while it has not answered, it is not asked
 * again. The question takes a thread of Node's own. Another process would be no better: it begins with this one's files
 * open, and does not start before a share that hangs lets go of them.
 */
export class ShareProbes {
  private readonly asked = new Map<string, Promise<true>>();

  constructor(private readonly withinMs: number = ANSWERS_WITHIN_MS) {}

  /** Resolves within some seconds. */
  async answers({ point }: Mount): Promise<boolean> {
    return within(this.asked.get(point) ?? this.ask(point), this.withinMs);
  }

  private ask(point: string): Promise<true> {
    // An error is an answer too.
    const answer = settled(statfs(point));
    this.asked.set(point, answer);
    return answer.finally(() => this.asked.delete(point));
  }
}

/** Whether a share answers, for a command, which has no files open there: another process asks, and is ended. */
export function answersNow(share: Mount, withinMs: number = ANSWERS_WITHIN_MS): boolean {
  const asked = spawnSync('stat', ['--file-system', share.point], {
    stdio: 'ignore',
    timeout: withinMs,
    killSignal: 'SIGKILL',
  });
  return asked.signal !== 'SIGKILL';
}

function segmentsOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '');
}
