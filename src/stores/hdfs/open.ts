/** Opens a file: asks a name node, follows to the data node that it names, and asks what was opened. */
import { WaybillError } from '../../model/errors.js';
import { samePin } from '../../model/object-entry.js';
import { contentLengthOf, endingOf, isoDateOf } from '../lib/http-headers.js';
import type { OpenObject, ReadOptions } from '../store.js';
import { modifiedAtOf, pinOf, type FileStatus } from './answers.js';
import type { HdfsConnection } from './connection.js';
import type { FollowOptions } from './data-nodes.js';
import type { HdfsRequest } from './request.js';

/** What is opened. */
export interface Opening extends Omit<HdfsRequest, 'op' | 'query' | 'operation'> {
  /** Asks what the path is by now. */
  readonly describe: () => Promise<FileStatus>;
  readonly onNamed?: FollowOptions['onNamed'];
}

/**
 * Opens. The version is asked for when the data node has the file open, so that what it read before is of that version too: the
 * bytes of a file are never changed in place.
 */
export async function openFile(
  connection: HdfsConnection,
  opening: Opening,
  options: ReadOptions,
): Promise<OpenObject & { readonly status: FileStatus }> {
  const { offsetBytes = 0, lengthBytes, pin } = options;
  const request: HdfsRequest = {
    ...opening,
    op: 'OPEN',
    query: {
      ...(offsetBytes === 0 ? {} : { offset: String(offsetBytes) }),
      ...(lengthBytes === undefined ? {} : { length: String(lengthBytes) }),
    },
    operation: 'openRead',
  };
  const { collect } = options;
  const { answer } = await connection.follow(request, { collect, onNamed: opening.onNamed });
  try {
    const status = await opening.describe();
    if (status.type !== 'FILE') throw refused(request, 'WB_NOT_FOUND', 'is no file');
    const found = pinOf(status);
    if (pin !== undefined && !samePin(pin, found)) {
      throw refused(request, 'WB_SOURCE_CHANGED', 'changed since it was pinned');
    }
    const left = status.length - offsetBytes;
    if (offsetBytes > 0 && left <= 0) {
      const why = `has ${status.length} bytes, none at ${offsetBytes}`;
      throw refused(request, 'WB_SIZE_MISMATCH', why);
    }
    const expected = Math.min(left, lengthBytes ?? left);
    const announced = contentLengthOf(answer.headers);
    if (announced !== undefined && announced !== expected) {
      const why = `has ${status.length} bytes, and ${announced} of them come where ${expected} were asked for`;
      // A file that somebody writes is longer than its name node says.
      throw refused(request, announced > expected ? 'WB_SOURCE_CHANGED' : 'WB_SIZE_MISMATCH', why);
    }
    const answeredAt = isoDateOf(answer.headers['date']);
    return {
      // Of a collected answer nobody asks for the stream.
      get body() {
        return answer.body;
      },
      ...(answer.bytes === undefined ? {} : { bytes: answer.bytes }),
      status,
      offsetBytes,
      lengthBytes: expected,
      sizeBytes: status.length,
      pin: found,
      modifiedAt: modifiedAtOf(status),
      ending: announced === undefined ? endingOf(answer.headers) : 'length',
      ...(answeredAt === undefined ? {} : { answeredAt }),
    };
  } catch (error) {
    answer.body.destroy();
    throw error;
  }
}

function refused(
  { at, path }: HdfsRequest,
  code: 'WB_NOT_FOUND' | 'WB_SOURCE_CHANGED' | 'WB_SIZE_MISMATCH',
  why: string,
): WaybillError {
  const context = { operation: 'openRead', store: 'hdfs', path };
  return new WaybillError(code, `${at} ${why}`, context);
}
