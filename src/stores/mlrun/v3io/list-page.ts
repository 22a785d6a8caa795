/** One page of a container's listing, out of its XML: the files of a folder, and its folders. */
import { Parser } from 'htmlparser2';
import type { ObjectPage } from '../../lib/list-objects.js';

/** A file in a listing. */
export interface ListedFile {
  readonly key: string;
  readonly sizeBytes?: number;
  readonly modifiedAt?: string;
}

/** Reads a page; undefined: the text is none, or it was cut. */
export function parseListPage(xml: string): ObjectPage<ListedFile> | undefined {
  const open: string[] = [];
  const objects: ListedFile[] = [];
  const prefixes: string[] = [];
  const head: Record<string, string> = {};
  let current: Record<string, string> = {};
  let text = '';
  let isWhole = false;
  const parser = new Parser(
    {
      onopentag: (name) => {
        open.push(name);
        text = '';
        if (open.length === 2) current = {};
      },
      ontext: (piece) => {
        text += piece;
      },
      onclosetag: (name, isImplied) => {
        const [root, parent] = open;
        if (open.length === 1) isWhole = root === 'ListBucketResult' && !isImplied;
        if (open.length === 3) current[name] = text;
        if (open.length === 2 && parent === 'Contents') objects.push(fileOf(current));
        else if (open.length === 2 && parent === 'CommonPrefixes') {
          prefixes.push(current['Prefix'] ?? '');
        } else if (open.length === 2) head[name] = text;
        open.pop();
        text = '';
      },
    },
    { xmlMode: true, decodeEntities: true },
  );
  parser.end(xml);
  if (!isWhole) return undefined;
  const marker = head['NextMarker'];
  const isCut = /^true$/i.test(head['IsTruncated'] ?? '');
  return {
    objects,
    prefixes,
    ...(isCut && marker !== undefined && marker !== '' ? { nextToken: marker } : {}),
  };
}

function fileOf({
  Key: key = '',
  Size: size,
  LastModified: modified,
}: Record<string, string>): ListedFile {
  const sizeBytes = Number(size);
  const atMs = Date.parse(modified ?? '');
  return {
    key,
    ...(size !== undefined && Number.isSafeInteger(sizeBytes) && sizeBytes >= 0
      ? { sizeBytes }
      : {}),
    ...(Number.isFinite(atMs) ? { modifiedAt: new Date(atMs).toISOString() } : {}),
  };
}
