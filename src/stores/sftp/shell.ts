/** The shell of a server, where it gives one: it can hash a file where it lies, and knows what time it is there. */
import type { Client } from 'ssh2';
import { shellQuote } from '../../model/shell-quote.js';
import type { Lease } from './pool.js';

/** A shell that does not answer in time is none. */
const PROBE_MS = 10_000;

/** The slowest disk that is worth waiting for. */
const BYTES_A_SECOND = 20_000_000;

/** Below it the question costs more than the answer is worth; above, the server reads for too long. */
const WORTHWHILE_BYTES = { least: 1024 * 1024, most: 16 * 1024 ** 3 };

/** When a SHA-256 is asked for. */
export type ChecksumRule = 'auto' | 'always' | 'never';

/** The clock of a server. */
interface Clock {
  readonly serverMs: number;
  readonly atMs: number;
}

/** Made per store. Nothing is asked before it is needed, and a server without a shell is asked once. */
export class ServerShell {
  private probed: Promise<boolean> | undefined;
  private clock: Clock | undefined;

  constructor(private readonly rule: ChecksumRule) {}

  /** Whether a file of this size is worth a question. */
  isWanted(sizeBytes: number): boolean {
    if (this.rule !== 'auto') return this.rule === 'always';
    return sizeBytes >= WORTHWHILE_BYTES.least && sizeBytes <= WORTHWHILE_BYTES.most;
  }

  /** The SHA-256 of a file as the server has it now, in hex; undefined where it cannot say. */
  async sha256({ client }: Lease, path: string, sizeBytes: number): Promise<string | undefined> {
    if (!(await this.hasProgram(client))) return undefined;
    const limitMs = PROBE_MS + (sizeBytes / BYTES_A_SECOND) * 1000;
    const output = await run(client, `sha256sum -- ${shellQuote(path)}`, limitMs);
    // A name that had to be escaped is announced by a backslash.
    return /^\\?([0-9a-f]{64}) /.exec(output)?.[1];
  }

  /** Asks what time it is there, if a file of this size is worth a question. */
  async askClock({ client }: Lease, sizeBytes: number): Promise<void> {
    if (this.isWanted(sizeBytes)) await this.hasProgram(client);
  }

  /** What time it is at the server; undefined: not asked, or it does not say. */
  nowMs(): number | undefined {
    const { clock } = this;
    return clock && clock.serverMs + (performance.now() - clock.atMs);
  }

  private hasProgram(client: Client): Promise<boolean> {
    this.probed ??= this.probe(client);
    return this.probed;
  }

  private async probe(client: Client): Promise<boolean> {
    const output = await run(client, 'date +%s; command -v sha256sum', PROBE_MS);
    const [, seconds, program] = /^(\d{9,11})\n(\S*sha256sum)?/.exec(output) ?? [];
    if (seconds !== undefined) {
      this.clock = { serverMs: Number(seconds) * 1000, atMs: performance.now() };
    }
    return program !== undefined;
  }
}

/** What a command prints; empty where it fails, takes too long, or there is no shell to run it. */
function run(client: Client, command: string, limitMs: number): Promise<string> {
  return new Promise((resolve) => {
    let output = '';
    let close = (): void => undefined;
    const none = (): void => end('');
    const end = (text: string): void => {
      clearTimeout(timer);
      client.off('close', none);
      close();
      resolve(text);
    };
    const timer = setTimeout(none, limitMs);
    client.once('close', none);
    try {
      client.exec(command, (error, channel) => {
        if (error) {
          none();
          return;
        }
        close = () => channel.close();
        // A server that knows SFTP alone would wait for requests.
        channel.end();
        channel.stderr.resume();
        channel.on('error', none);
        channel.on('data', (chunk: Buffer) => {
          output = (output + chunk.toString('latin1')).slice(0, 10_000);
        });
        channel.on('close', (code: unknown) => end(code === 0 ? output : ''));
      });
    } catch {
      none();
    }
  });
}
