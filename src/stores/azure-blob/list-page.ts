/** One page of List Blobs, out of its XML. */
import { Parser } from 'htmlparser2';
import type { ObjectPage } from '../lib/list-objects.js';

/** A blob in a listing. */
export interface ListedBlob {
  /** Ends in a slash where the blob stands for a folder. */
  readonly key: string;
  readonly sizeBytes?: number;
  readonly modifiedAt?: string;
  readonly etag?: string;
  /** Base64. */
  readonly contentMd5?: string;
}

/** Reads a page, or says that the text is none (undefined): an HTML page, a cut answer. */
export function parseListPage(xml: string): ObjectPage<ListedBlob> | undefined {
  const reader = new PageReader();
  const parser = new Parser(reader, { xmlMode: true, decodeEntities: true });
  parser.end(xml);
  return reader.page();
}

/** Where a text stands that is wanted, by the elements around it; the field it becomes. */
const FIELDS: Readonly<Record<string, string>> = {
  Name: 'name',
  'Properties/Content-Length': 'length',
  'Properties/Last-Modified': 'modified',
  'Properties/Etag': 'etag',
  'Properties/Content-MD5': 'md5',
  'Properties/ResourceType': 'type',
};

const IS_FOLDER = 'metadata/hdi_isfolder';

class PageReader {
  private readonly open: string[] = [];
  private readonly objects: ListedBlob[] = [];
  private readonly prefixes: string[] = [];
  private readonly head: Record<string, string> = {};
  private current: Record<string, string> = {};
  private text = '';
  private hasRoot = false;
  private isClosed = false;
  private isEncoded = false;

  onopentag(name: string, attributes: Record<string, string>): void {
    this.open.push(name);
    this.text = '';
    if (this.open.length === 1) this.hasRoot = name === 'EnumerationResults';
    if (this.open.length === 3) this.current = {};
    if (name === 'Name') this.isEncoded = attributes['Encoded']?.toLowerCase() === 'true';
  }

  ontext(text: string): void {
    this.text += text;
  }

  onclosetag(name: string, isImplied: boolean): void {
    const [, list, item, ...inside] = this.open;
    if (this.open.length === 1 && !isImplied) this.isClosed = true;
    if (this.open.length === 2) this.head[name] = this.text;
    if (list === 'Blobs' && inside.length > 0) this.take(inside.join('/'));
    if (list === 'Blobs' && inside.length === 0 && this.open.length === 3) this.finish(item);
    this.open.pop();
    this.text = '';
  }

  page(): ObjectPage<ListedBlob> | undefined {
    if (!this.hasRoot || !this.isClosed) return undefined;
    const nextToken = this.head['NextMarker']?.trim() ?? '';
    return {
      objects: this.objects,
      prefixes: this.prefixes,
      ...(nextToken === '' ? {} : { nextToken }),
    };
  }

  private take(place: string): void {
    const field = FIELDS[place];
    if (field === 'name') this.current['name'] = this.isEncoded ? decoded(this.text) : this.text;
    else if (field !== undefined) this.current[field] = this.text;
    else if (place.toLowerCase() === IS_FOLDER) this.current['folder'] = this.text;
  }

  private finish(item: string | undefined): void {
    const { name } = this.current;
    if (name === undefined) return;
    if (item === 'BlobPrefix') this.prefixes.push(name);
    else if (item === 'Blob') this.objects.push(toBlob(name, this.current));
  }
}

function toBlob(
  name: string,
  { length = '', modified = '', etag = '', md5 = '', type, folder = '' }: Record<string, string>,
): ListedBlob {
  const isFolder = folder.toLowerCase() === 'true' || type === 'directory';
  const timeMs = Date.parse(modified);
  return {
    key: isFolder && !name.endsWith('/') ? `${name}/` : name,
    ...(/^\d+$/.test(length) ? { sizeBytes: Number(length) } : {}),
    ...(Number.isNaN(timeMs) ? {} : { modifiedAt: new Date(timeMs).toISOString() }),
    ...(etag === '' ? {} : { etag }),
    ...(md5 === '' ? {} : { contentMd5: md5 }),
  };
}

/** A name with characters that XML cannot hold comes percent-encoded, and says so. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
