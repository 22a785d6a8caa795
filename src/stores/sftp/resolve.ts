/** Paths below a root, with symbolic links followed only where they stay inside (rule 24). */
import { posix } from 'node:path';
import { isInside } from '../../model/is-inside.js';
import { kindOf } from './entry.js';
import { errorOfSession, sftpError, type SftpPlace } from './errors.js';
import type { Attributes } from './packets.js';
import type { SftpSession } from './session.js';

/** More links on one way lead in circles. */
const MAX_LINKS = 40;

/** Something that exists below the root. */
export interface Located {
  /** Without symbolic links. */
  readonly realPath: string;
  readonly attributes: Attributes;
}

/** The root without links: kept, so that one pull sees one tree where the root is a link that is pointed elsewhere. */
export async function resolveRoot(
  session: SftpSession,
  path: string,
  place: SftpPlace,
): Promise<string> {
  try {
    let real = await session.realPath(path);
    for (let links = 0; kindOf(await session.lstat(real)) === 'link'; links += 1) {
      // A server that only tidies the path up.
      if (links === MAX_LINKS) throw circle(place);
      real = await session.realPath(
        posix.resolve(posix.dirname(real), await session.readLink(real)),
      );
    }
    return real;
  } catch (error) {
    throw errorOfSession(error, place);
  }
}

/** Finds a path. Missing: WB_NOT_FOUND; a link that leads out or in circles, or a name that is no UTF-8: WB_UNSAFE_PATH. */
export async function resolveInside(
  session: SftpSession,
  realRoot: string,
  path: string,
  place: SftpPlace,
): Promise<Located> {
  if (!path.isWellFormed())
    throw sftpError('WB_UNSAFE_PATH', 'has a name that is not valid UTF-8', place);
  const segments = path === '' ? [] : path.split('/');
  if (segments.some((one) => one === '' || one === '.' || one === '..')) {
    throw sftpError('WB_UNSAFE_PATH', 'is no path below the source', place);
  }
  try {
    return (
      (await plainWay(session, realRoot, segments)) ??
      (await wayOfLinks(session, realRoot, segments, place))
    );
  } catch (error) {
    throw errorOfSession(error, place);
  }
}

/** All parts are asked about at once; undefined where one of them is a link. */
async function plainWay(
  session: SftpSession,
  realRoot: string,
  segments: readonly string[],
): Promise<Located | undefined> {
  const paths = [
    realRoot,
    ...segments.map((_, index) => posix.join(realRoot, ...segments.slice(0, index + 1))),
  ];
  // The root is known to be no link.
  const asked = paths.length === 1 ? paths : paths.slice(1);
  const found = await Promise.allSettled(asked.map((one) => session.lstat(one)));
  for (const [index, one] of found.entries()) {
    if (one.status === 'rejected') throw one.reason as Error;
    if (kindOf(one.value) === 'link') return undefined;
    if (index === found.length - 1)
      return { realPath: asked[index] ?? realRoot, attributes: one.value };
  }
  return undefined;
}

async function wayOfLinks(
  session: SftpSession,
  realRoot: string,
  segments: readonly string[],
  place: SftpPlace,
): Promise<Located> {
  let realPath = realRoot;
  let attributes = await session.lstat(realRoot);
  const left = [...segments];
  let links = 0;
  for (let segment = left.shift(); segment !== undefined; segment = left.shift()) {
    const next = posix.join(realPath, segment);
    const here = await session.lstat(next);
    if (kindOf(here) !== 'link') {
      realPath = next;
      attributes = here;
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) throw circle(place);
    const target = posix.resolve(realPath, await session.readLink(next));
    const inside = isInside(realRoot, target) ? target : await session.realPath(target);
    if (!isInside(realRoot, inside)) {
      throw sftpError('WB_UNSAFE_PATH', `leads outside the source, to ${inside}`, place);
    }
    left.unshift(
      ...posix
        .relative(realRoot, inside)
        .split('/')
        .filter((one) => one !== ''),
    );
    realPath = realRoot;
    attributes = await session.lstat(realRoot);
  }
  return { realPath, attributes };
}

function circle(place: SftpPlace): Error {
  return sftpError('WB_UNSAFE_PATH', 'is a symbolic link that leads in circles', place);
}
