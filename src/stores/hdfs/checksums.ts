/** The checksums of files: asked while their bytes come, and of the data node that gives those. */
import type { Digests } from '../../model/object-entry.js';
import { WaybillError } from '../../model/errors.js';
import type { FileStatus } from './answers.js';
import { digestsOfChecksum } from './checksum.js';
import type { ChecksumRule } from './config.js';
import type { HdfsConnection } from './connection.js';
import { mayHaveOne } from './errors.js';
import type { FollowOptions } from './data-nodes.js';
import type { HdfsRequest } from './request.js';

/** The question for the checksum of one file. */
export interface ChecksumQuestion {
  /** Hears which data node is asked for the bytes, and asks it at once. */
  readonly onNamed: FollowOptions['onNamed'];
  /** What the file system computed when the file was written; none where it does not say one that is comparable. */
  answer(status: FileStatus): Promise<Digests>;
  /** Nobody wants to know any more. */
  abandon(reason: unknown): void;
}

/** Asks a source for the checksums of its files. */
export class Checksums {
  /** The last file lay encrypted, and so will the next: before that is known it is not asked. */
  private isEncrypted = false;

  constructor(
    private readonly connection: HdfsConnection,
    private readonly rule: ChecksumRule,
  ) {}

  /** Nothing is asked before it is known whom, or what the file is. */
  questionOf({ signal, ...file }: Omit<HdfsRequest, 'op' | 'operation'>): ChecksumQuestion {
    const end = new AbortController();
    const request: HdfsRequest = {
      ...file,
      op: 'GETFILECHECKSUM',
      operation: 'checksum',
      signal: signal === undefined ? end.signal : AbortSignal.any([signal, end.signal]),
    };
    let early: Promise<unknown> | undefined;
    return {
      onNamed: (named) => {
        if (this.rule === 'never' || this.isEncrypted) return;
        early = this.connection.askNamed(named, request);
        // Heard when the bytes are there, and not at all where they cannot be had.
        early.catch(() => undefined);
      },
      answer: async (status) => {
        this.isEncrypted = status.encBit === true;
        if (this.isEncrypted) end.abort();
        if (this.rule === 'never' || this.isEncrypted) return {};
        try {
          return digestsOfChecksum(await this.askedTwice(request, early), status);
        } catch (error) {
          signal?.throwIfAborted();
          // Some files have none, and some gateways do not pass it on: then the level says so. What may pass is waited for.
          if (error instanceof WaybillError && !isPassing(error)) return {};
          throw error;
        }
      },
      abandon: (reason) => end.abort(reason),
    };
  }

  /** A failure of the node that had been named says nothing yet, nor does one that may have been of the moment. */
  private async askedTwice(
    request: HdfsRequest,
    early: Promise<unknown> | undefined,
  ): Promise<unknown> {
    const ask = (): Promise<unknown> => this.connection.askFollowing(request);
    try {
      return await (early ?? ask());
    } catch (error) {
      request.signal?.throwIfAborted();
      if (early === undefined && !mayHaveOne(error)) throw error;
      return ask();
    }
  }
}

function isPassing({ code, retryable }: WaybillError): boolean {
  return (
    retryable && (code === 'WB_UNAVAILABLE' || code === 'WB_TIMEOUT' || code === 'WB_RATE_LIMITED')
  );
}
