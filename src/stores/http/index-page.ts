/** Directory indexes of nginx (HTML and JSON), Apache and Python's http.server, as names with what is known of them. */
import { Parser } from 'htmlparser2';
import * as z from 'zod';
import { percentDecodeOnce } from '../lib/byte-names.js';
import { isoDateOf } from '../lib/http-headers.js';

/** One line of an index. */
export interface IndexEntry {
  /** Decoded once; hostile. */
  readonly name: string;
  readonly isFolder: boolean;
  /** The index says that it is neither file nor folder: a FIFO, a socket, a link to nowhere. */
  readonly isSpecial?: true;
  /** Only where the index gives it to the byte; `1.2K` counts as unknown (rule 11). */
  readonly sizeBytes?: number;
  /** Only where the index gives it to the second, with its zone. */
  readonly modifiedAt?: string;
}

/** What such pages call themselves, in their title or first heading. */
const TITLE = /^\s*(index of|directory listing (for|of)|directory:)\s/i;

/** A size to the byte, after date and time: nginx and Apache write small ones so, and larger ones with a unit. */
const EXACT_SIZE =
  /^\s*(?:\d{2}-[A-Za-z]{3}-\d{4}|\d{4}-\d{2}-\d{2}) \d{2}:\d{2}\s+(\d+)(?=\s|$)(?!\s+(?:[kmgtp]i?b?|bytes?)\b)/i;

/**
 * Reads an index in HTML; undefined if the page is none. Links with a query, to elsewhere, to the folder itself or its
 * parent, and to anything deeper are passed over.
 * @param folder the address of the page
 */
export function parseHtmlIndex(html: string, folder: URL): IndexEntry[] | undefined {
  let isIndex = false;
  let heading = '';
  let isHeading = false;
  const links: { href: string; after: string }[] = [];
  let isInLink = false;
  const parser = new Parser({
    onopentag: (tag, attributes) => {
      if (tag === 'title' || tag === 'h1') {
        isHeading = true;
        heading = '';
      }
      if (tag === 'a' && attributes['href'] !== undefined) {
        isInLink = true;
        links.push({ href: attributes['href'], after: '' });
      }
    },
    ontext: (text) => {
      if (isHeading) heading += text;
      const last = links.at(-1);
      if (last && !isInLink) last.after += text.replaceAll('\u00a0', ' ');
    },
    onclosetag: (tag) => {
      if (tag === 'a') isInLink = false;
      if (tag !== 'title' && tag !== 'h1') return;
      isHeading = false;
      isIndex ||= TITLE.test(heading);
    },
  });
  parser.end(html);
  if (!isIndex) return undefined;
  const entries = new Map<string, IndexEntry>();
  for (const { href, after } of links) {
    const entry = entryOfLink(href, after, folder);
    if (entry && !entries.has(entry.name)) entries.set(entry.name, entry);
  }
  return [...entries.values()];
}

function entryOfLink(href: string, after: string, folder: URL): IndexEntry | undefined {
  const relative = relativeHref(href.trim(), folder);
  if (relative === undefined || /[?#]/.test(relative)) return undefined;
  const isFolder = relative.endsWith('/');
  const segment = isFolder ? relative.slice(0, -1) : relative;
  if (segment === '' || segment === '.' || segment === '..' || segment.includes('/')) {
    return undefined;
  }
  const size = isFolder ? undefined : EXACT_SIZE.exec(after)?.[1];
  return {
    name: percentDecodeOnce(segment),
    isFolder,
    ...(size === undefined ? {} : { sizeBytes: Number(size) }),
  };
}

/** A link relative to the folder; undefined where it leads elsewhere. Done by hand: `URL` would walk up `%2e%2e`. */
function relativeHref(href: string, folder: URL): string | undefined {
  if (href.startsWith(folder.origin + '/'))
    return relativeHref(href.slice(folder.origin.length), folder);
  if (href.startsWith('/')) {
    return href.startsWith(folder.pathname) ? href.slice(folder.pathname.length) : undefined;
  }
  if (href.startsWith('./')) return href.slice(2);
  return /^[a-z][a-z0-9+.-]*:/i.test(href) ? undefined : href;
}

const jsonIndex = z.array(
  z.object({
    name: z.string().min(1),
    type: z.string(),
    mtime: z.string().optional(),
    size: z.int().nonnegative().optional(),
  }),
);

/** Reads nginx's index in JSON; undefined if the text is none. */
export function parseJsonIndex(text: string): IndexEntry[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = jsonIndex.safeParse(value);
  return parsed.data?.map(({ name, type, mtime, size }) => {
    const modifiedAt = isoDateOf(mtime);
    const isFolder = type === 'directory';
    return {
      name,
      isFolder,
      ...(isFolder || type === 'file' ? {} : { isSpecial: true as const }),
      ...(size === undefined || isFolder ? {} : { sizeBytes: size }),
      ...(modifiedAt === undefined ? {} : { modifiedAt }),
    };
  });
}
