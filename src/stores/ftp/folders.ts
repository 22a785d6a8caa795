/** What lies in one folder, as the server lists it. */
import type { Socket } from 'node:net';
import { posix } from 'node:path';
import { WaybillError } from '../../model/errors.js';
import { Trickle } from '../lib/trickle.js';
import type { StorePace } from '../store.js';
import type { FtpConfig } from './config.js';
import { networkError } from './connection.js';
import { parseListing, UnreadableLine, type Listed } from './list-lines.js';
import type { Session } from './login.js';
import { quotedPathOf, wireOf } from './names.js';
import { Refusal, wordsOf } from './replies.js';

/** More than a million long names; it is held in memory. */
const MAX_LISTING_BYTES = 256 * 1024 * 1024;

/** Names, and where the folder really is where the server says it. */
export interface Folder {
  readonly names: readonly Listed[];
  readonly realPath: string;
}

/** Reads folders of one store; knows what its server can. */
export class FolderReader {
  private mlsd: 'unknown' | 'no' = 'unknown';
  private plainList = false;

  constructor(
    private readonly config: FtpConfig,
    private readonly pace: StorePace | undefined,
  ) {}

  /**
   * Lists a folder. Throws a `Refusal` of CWD where there is none.
   * @param path absolute, at the server
   * @param shown the same relative to the root, for errors
   */
  async read(session: Session, path: string, shown: string): Promise<Folder> {
    const realPath = await this.realPathOf(session, path, shown);
    return { names: await this.names(session, shown), realPath };
  }

  /** Goes to a folder, and asks where that is: links on the way are resolved by the server. */
  async realPathOf({ connection }: Session, path: string, shown = ''): Promise<string> {
    await connection.ask(`CWD ${wireOf(path, 'list', shown)}`);
    const pwd = await connection.ask('PWD');
    return quotedPathOf(pwd.lines.join(' ')) ?? posix.normalize(path);
  }

  private async names(session: Session, shown: string): Promise<readonly Listed[]> {
    if (!session.hasMlsd || this.mlsd === 'no') return this.listed(session, shown);
    const text = await this.ask(session, 'MLSD', shown);
    if (text === undefined) {
      this.mlsd = 'no';
      return this.listed(session, shown);
    }
    const names = parse(text, true, shown, this.config);
    if (!names.some(({ kind, target }) => kind === 'link' && target === undefined)) return names;
    // Most servers say where a link leads in the older listing only.
    const old = new Map((await this.listed(session, shown)).map((one) => [one.name, one]));
    return names.map((one) => (one.kind === 'link' ? (old.get(one.name) ?? one) : one));
  }

  /** LIST, with names that begin with a dot where the server knows how to ask for them. */
  private async listed(session: Session, shown: string): Promise<readonly Listed[]> {
    if (!this.plainList) {
      const all = await this.ask(session, 'LIST -a', shown);
      // Servers that do not know the letter look for a file of that name.
      if (all !== undefined && all !== '') return parse(all, false, shown, this.config);
      const plain = await this.ask(session, 'LIST', shown);
      if (all === undefined || (plain !== undefined && plain !== '')) this.plainList = true;
      if (plain !== undefined) return parse(plain, false, shown, this.config);
    }
    const plain = await this.ask(session, 'LIST', shown);
    if (plain !== undefined) return parse(plain, false, shown, this.config);
    throw new WaybillError('WB_UNSUPPORTED', `${this.config.service} lists no folders`, {
      ...{ operation: 'list', store: 'ftp', path: shown, scope: 'source' },
    });
  }

  /** The text of a listing in bytes as latin1; undefined: the server does not know the command. */
  private async ask(
    { connection }: Session,
    command: string,
    shown: string,
  ): Promise<string | undefined> {
    const data = await connection.openData();
    try {
      const started = await connection.send(command);
      if (started.code >= 400) {
        // An empty folder is an error to some.
        if (/no (such )?files?\b.*found|no files|empty/i.test(wordsOf(started))) return '';
        // 450 is what the standard has for a file that cannot be listed: the letter was taken for its name.
        const isLetter = command === 'LIST -a' && started.code === 450;
        if (isLetter || (started.code >= 500 && started.code !== 530)) return undefined;
        throw new Refusal(started, command);
      }
      const bytes = await this.collect(data, shown);
      const ended = started.code >= 200 ? started : await connection.next();
      if (ended.code >= 300) throw new Refusal(ended, command);
      const text = bytes.toString('latin1');
      if (text === '' || text.endsWith('\n')) return text;
      throw networkError('UND_ERR_SOCKET', 'the listing broke off in a line');
    } finally {
      data.destroy();
    }
  }

  private async collect(data: Socket, shown: string): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    data.setTimeout(this.config.timeouts.stallMs, () =>
      data.destroy(networkError('UND_ERR_BODY_TIMEOUT', 'silent')),
    );
    const trickle = new Trickle(this.config.timeouts.stallMs);
    for await (const chunk of data as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      const slow = trickle.count(chunk.length);
      if (slow !== undefined) throw slow;
      if (bytes > MAX_LISTING_BYTES) {
        const message = `${shown === '' ? this.config.root : shown}: its listing is larger than 256 MiB`;
        throw new WaybillError('WB_LIMIT_EXCEEDED', message, {
          ...{ operation: 'list', store: 'ftp', path: shown },
        });
      }
      const turn = this.pace?.afterBytes(chunk.length);
      if (turn === undefined) continue;
      await turn;
      trickle.restart();
    }
    return Buffer.concat(chunks);
  }
}

function parse(
  text: string,
  isMlsd: boolean,
  shown: string,
  { service }: FtpConfig,
): readonly Listed[] {
  try {
    return parseListing(text, isMlsd);
  } catch (cause) {
    if (!(cause instanceof UnreadableLine)) throw cause;
    const line = JSON.stringify(Buffer.from(cause.message, 'latin1').toString('utf8'));
    const message = `${service} lists folders in a form that Waybill does not know: ${line}`;
    throw new WaybillError('WB_UNSUPPORTED', message, {
      ...{ operation: 'list', store: 'ftp', path: shown, scope: 'source', cause },
    });
  }
}
