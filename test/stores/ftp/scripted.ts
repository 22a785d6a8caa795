/** An FTP server that lacks what every real one has: made by hand, for no package of any distribution behaves so. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { posix } from 'node:path';

/** What it serves, and what it cannot. */
export interface Script {
  /** By absolute path. */
  readonly files: Readonly<Record<string, string>>;
  /** Commands that it answers with 502. */
  readonly lacks: readonly string[];
  /** The lines of a folder. */
  readonly line: (name: string, sizeBytes: number | undefined) => string;
  /** What it says to `LIST -a`; by default it lists. */
  readonly listsLetter?: string;
  /** Commands that it knows besides; undefined: it never answers. */
  readonly knows?: Readonly<Record<string, (argument: string) => string | undefined>>;
}

/** A running one. */
export interface ScriptedServer {
  readonly port: number;
  /** The commands that came, without what follows them but for LIST. */
  readonly commands: readonly string[];
  stop(): Promise<void>;
}

/** `01-29-26  11:32PM  <DIR>  name`. */
export const dosLine = (name: string, sizeBytes: number | undefined): string =>
  `01-29-26  11:32PM ${sizeBytes === undefined ? '      <DIR>         ' : String(sizeBytes).padStart(20)} ${name}`;

/** `-rw-r--r--   1 ftp ftp 5 Jan 29 11:32 name`. */
export const unixLine = (name: string, sizeBytes: number | undefined): string =>
  `${sizeBytes === undefined ? 'd' : '-'}rw-r--r--   1 ftp      ftp      ${sizeBytes ?? 0} Jan 29 11:32 ${name}`;

/** Starts one on a free port. */
export async function startScripted(script: Script): Promise<ScriptedServer> {
  const commands: string[] = [];
  const open = new Set<Socket | Server>();
  const server = createServer((socket) => new Talk(script, socket, commands, open).start());
  await listening(server);
  return {
    port: (server.address() as AddressInfo).port,
    commands,
    stop: async () => {
      for (const one of open) {
        if ('destroy' in one) one.destroy();
        else one.close();
      }
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function listening(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
}

/** One control connection. */
class Talk {
  private folder = '/';
  private offset = 0;
  private data: Promise<Socket> | undefined;

  constructor(
    private readonly script: Script,
    private readonly socket: Socket,
    private readonly commands: string[],
    private readonly open: Set<Socket | Server>,
  ) {}

  start(): void {
    const { socket, open } = this;
    open.add(socket);
    socket.on('error', () => undefined);
    let rest = '';
    let turn = Promise.resolve();
    socket.on('data', (bytes) => {
      const lines = (rest + bytes.toString('utf8')).split('\r\n');
      rest = lines.pop() ?? '';
      for (const line of lines) turn = turn.then(() => this.answer(line));
    });
    this.say('220 ready');
  }

  private say(line: string): void {
    this.socket.write(`${line}\r\n`);
  }

  private async answer(line: string): Promise<void> {
    const [, word = '', argument = ''] = /^(\w+) ?(.*)$/.exec(line) ?? [];
    this.commands.push(word === 'LIST' ? line : word);
    if (this.script.lacks.includes(word)) return this.say('502 not implemented');
    const known = this.script.knows?.[word];
    if (known !== undefined) {
      const said = known(argument);
      if (said !== undefined) this.say(said);
      return;
    }
    const path = posix.resolve(this.folder, argument);
    const text = this.script.files[path];
    if (word === 'LIST') return this.list(argument);
    if (word === 'RETR') return text === undefined ? this.say('550 no') : this.send(text);
    if (word === 'EPSV') return this.passive();
    if (word === 'CWD') {
      if (!this.isFolder(path)) return this.say('550 no');
      this.folder = path;
    }
    if (word === 'REST') this.offset = Number(argument);
    if (word === 'SIZE' || word === 'MDTM') {
      if (text === undefined) return this.say('550 no');
      return this.say(`213 ${word === 'SIZE' ? text.length : '20250101000000'}`);
    }
    const said: Readonly<Record<string, string>> = {
      ...{ USER: '230 in', TYPE: '200 binary', CWD: '250 there', REST: '350 go on' },
      ...{ PWD: `257 "${this.folder}"`, QUIT: '221 bye' },
    };
    this.say(said[word] ?? '500 what?');
  }

  private isFolder(path: string): boolean {
    const below = path === '/' ? '/' : `${path}/`;
    return Object.keys(this.script.files).some((one) => one.startsWith(below));
  }

  private async passive(): Promise<void> {
    const server = createServer();
    await listening(server);
    this.open.add(server);
    this.data = new Promise((resolve) => {
      server.once('connection', (socket) => {
        socket.on('error', () => undefined);
        server.close();
        resolve(socket);
      });
    });
    this.say(`229 there (|||${(server.address() as AddressInfo).port}|)`);
  }

  private async list(argument: string): Promise<void> {
    const { listsLetter, files, line } = this.script;
    if (argument === '-a' && listsLetter !== undefined) return this.say(listsLetter);
    const below = this.folder === '/' ? '/' : `${this.folder}/`;
    const names = new Map<string, number | undefined>();
    for (const [path, text] of Object.entries(files)) {
      const [name = '', ...rest] = path.startsWith(below)
        ? path.slice(below.length).split('/')
        : [];
      if (name !== '') names.set(name, rest.length > 0 ? undefined : text.length);
    }
    await this.send([...names].map((one) => `${line(...one)}\r\n`).join(''));
  }

  private async send(text: string): Promise<void> {
    this.say('150 here it comes');
    (await this.data)?.end(text.slice(this.offset));
    this.offset = 0;
    this.say('226 done');
  }
}
