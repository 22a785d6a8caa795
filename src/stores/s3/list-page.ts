/** One page of ListObjectsV2, out of its XML. */
import { Parser } from 'htmlparser2';
import { decodeListed } from './keys.js';

/** An object in a listing. */
export interface ListedObject {
  readonly key: string;
  readonly sizeBytes?: number;
  readonly modifiedAt?: string;
  /** Without quotes. */
  readonly etag?: string;
}

/** A page: objects, and with a delimiter the prefixes below which there is more. */
export interface ListPage {
  readonly objects: readonly ListedObject[];
  /** With the slash at their end. */
  readonly prefixes: readonly string[];
  readonly isTruncated: boolean;
  readonly nextToken?: string;
}

/** Reads a page, or says that the text is none (undefined): an HTML page, a cut answer. */
export function parseListPage(xml: string): ListPage | undefined {
  const usual = usualObjects(xml);
  if (usual !== undefined) {
    const around = readPage(usual.around);
    // One stands for all of them: else they lie deeper, or are no objects.
    if (around.objects.length === 1) return around.page(usual.objects);
  }
  return readPage(xml).page();
}

function readPage(xml: string): PageReader {
  const reader = new PageReader();
  const parser = new Parser(reader, { xmlMode: true, decodeEntities: true });
  parser.end(xml);
  return reader;
}

/** An object as services write it; of thousands a parser of anything takes ten times as long. */
const OBJECT = new RegExp(
  '<Contents><Key>([^<&]*)</Key><LastModified>([^<&]*)</LastModified>' +
    '<ETag>(?:"|&quot;|&#34;)?([^<&"]*)(?:"|&quot;|&#34;)?</ETag>' +
    '(?:<Checksum(Algorithm|Type)>[^<&]*</Checksum\\4>)*<Size>([^<&]*)</Size>' +
    '(?:<Owner>(?:<(ID|DisplayName)>[^<&]*</\\6>)*</Owner>)?' +
    '(?:<StorageClass>[^<&]*</StorageClass>)?</Contents>',
  'y',
);

interface UsualObjects {
  readonly objects: readonly Record<string, string>[];
  /** The page with one empty object in the place of these. */
  readonly around: string;
}

/** The objects of a page where all are as usual and stand in one row; undefined: ask the parser. */
function usualObjects(xml: string): UsualObjects | undefined {
  const start = xml.indexOf('<Contents>');
  // A comment or CDATA may hold anything.
  if (start < 0 || xml.includes('<!')) return undefined;
  const objects: Record<string, string>[] = [];
  OBJECT.lastIndex = start;
  let end = start;
  for (let found = OBJECT.exec(xml); found !== null; found = OBJECT.exec(xml)) {
    const [, Key = '', LastModified = '', ETag = '', , Size = ''] = found;
    objects.push({ Key, LastModified, ETag, Size });
    end = OBJECT.lastIndex;
  }
  if (objects.length === 0 || xml.includes('<Contents', end)) return undefined;
  return { objects, around: `${xml.slice(0, start)}<Contents></Contents>${xml.slice(end)}` };
}

class PageReader {
  private readonly open: string[] = [];
  readonly objects: Record<string, string>[] = [];
  private readonly prefixes: string[] = [];
  private readonly head: Record<string, string> = {};
  private current: Record<string, string> = {};
  private text = '';
  private hasRoot = false;
  private isClosed = false;

  onopentag(name: string): void {
    this.open.push(localName(name));
    this.text = '';
    if (this.open.length === 2) this.current = {};
    if (this.open.length === 1) this.hasRoot = this.open[0] === 'ListBucketResult';
  }

  ontext(text: string): void {
    this.text += text;
  }

  onclosetag(name: string, isImplied: boolean): void {
    const element = localName(name);
    const [, parent] = this.open;
    if (this.open.length === 1 && !isImplied) this.isClosed = true;
    if (this.open.length === 2) {
      if (element === 'Contents') this.objects.push(this.current);
      else if (element !== 'CommonPrefixes') this.head[element] = this.text;
    }
    if (this.open.length === 3 && parent === 'Contents') this.current[element] = this.text;
    if (this.open.length === 3 && parent === 'CommonPrefixes' && element === 'Prefix') {
      this.prefixes.push(this.text);
    }
    this.open.pop();
    this.text = '';
  }

  page(objects: readonly Record<string, string>[] = this.objects): ListPage | undefined {
    if (!this.hasRoot || !this.isClosed) return undefined;
    const decode = this.head['EncodingType'] === 'url' ? decodeListed : (text: string) => text;
    const nextToken = this.head['NextContinuationToken'];
    return {
      objects: objects.map((fields) => toObject(fields, decode)),
      prefixes: this.prefixes.map(decode),
      isTruncated: this.head['IsTruncated'] === 'true',
      ...(nextToken === undefined || nextToken === '' ? {} : { nextToken }),
    };
  }
}

function toObject(
  { Key = '', Size = '', LastModified = '', ETag = '' }: Record<string, string>,
  decode: (text: string) => string,
): ListedObject {
  const timeMs = Date.parse(LastModified);
  const etag = ETag.replace(/^"|"$/g, '');
  return {
    key: decode(Key),
    ...(/^\d+$/.test(Size) ? { sizeBytes: Number(Size) } : {}),
    ...(Number.isNaN(timeMs) ? {} : { modifiedAt: new Date(timeMs).toISOString() }),
    ...(etag === '' ? {} : { etag }),
  };
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}
