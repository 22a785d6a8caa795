/** Digests that a server computes when it is asked: HASH (draft-bryan-ftp-hash), and the older commands that begin with X. */
import type { ObjectEntry } from '../../model/object-entry.js';
import type { ChecksumRule } from './config.js';
import { codeOf } from './errors.js';
import type { Session } from './login.js';

/** How a server is asked. */
export type DigestCommand = 'HASH' | 'XSHA256';

/** The slowest disk that is worth waiting for, and what a server needs to begin. */
const BYTES_A_SECOND = 20_000_000;
const BEGINS_IN_MS = 30_000;

/** Below it the question costs more than the answer is worth; above, the server reads for too long. */
const WORTHWHILE_BYTES = { least: 1024 * 1024, most: 16 * 1024 ** 3 };

/** What of the features of a server (FEAT, in upper case) gives a SHA-256. */
export function digestCommandOf(features: readonly string[]): DigestCommand | undefined {
  const hash = features.find((one) => one.startsWith('HASH '));
  if (hash !== undefined && /[ ;]SHA-256\*?(;|$)/.test(hash)) return 'HASH';
  return features.some((one) => /^XSHA256\b/.test(one)) ? 'XSHA256' : undefined;
}

/** Made per store. A server that says no to a file, or nothing in time, costs that file's digest only. */
export class ServerDigests {
  private isSilent = false;

  constructor(private readonly rule: ChecksumRule) {}

  /** Whether the server would be asked for the SHA-256 of such a file. */
  canTell({ digestCommand }: Session, wire: string, sizeBytes: number | undefined): boolean {
    // What follows a blank may be taken for the range that these commands know.
    if (digestCommand === 'XSHA256' && /\s/.test(wire)) return false;
    return digestCommand !== undefined && this.isWanted(sizeBytes);
  }

  /** The SHA-256 of a file as the server has it; nothing where it cannot say, or is not asked. */
  async of(
    session: Session,
    wire: string,
    sizeBytes: number | undefined,
  ): Promise<Pick<ObjectEntry, 'digests' | 'areDigestsFresh'>> {
    const { connection, digestCommand } = session;
    if (digestCommand === undefined || !this.canTell(session, wire, sizeBytes)) return {};
    const waitMs = BEGINS_IN_MS + ((sizeBytes ?? 0) / BYTES_A_SECOND) * 1_000;
    const reply = await connection
      .send(`${digestCommand} ${wire}`, waitMs)
      .catch((error: unknown) => {
        this.isSilent ||= codeOf(error) === 'UND_ERR_HEADERS_TIMEOUT';
        throw error;
      });
    const sha256 = reply.code < 300 ? digestOf(reply.lines.at(-1) ?? '', digestCommand) : undefined;
    return sha256 === undefined ? {} : { digests: { sha256 }, areDigestsFresh: true };
  }

  private isWanted(sizeBytes: number | undefined): boolean {
    // It fell silent the last time: once more would be as long, and no byte would ever come.
    if (this.isSilent || sizeBytes === undefined || this.rule === 'never') return false;
    if (this.rule === 'always') return true;
    return sizeBytes >= WORTHWHILE_BYTES.least && sizeBytes <= WORTHWHILE_BYTES.most;
  }
}

/** `213 SHA-256 0-49 HEX name`, `250 HEX`; undefined: it is something else. */
function digestOf(line: string, command: DigestCommand): string | undefined {
  const form =
    command === 'HASH'
      ? /^2\d\d SHA-256 0-\d+ ([0-9a-f]{64})(?: |$)/i
      : /^2\d\d (?:.* )?"?([0-9a-f]{64})"?\s*$/i;
  return form.exec(line)?.[1]?.toLowerCase();
}
