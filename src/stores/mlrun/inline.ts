/** A small artifact whose text stands in its record. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { ObjectEntry } from '../../model/object-entry.js';
import type { OpenObject, ReadOptions, Store } from '../store.js';
import { mlrunError } from './errors.js';

/** A store of one file. */
export function inlineStore(text: string): Store {
  const bytes = Buffer.from(text, 'utf8');
  const sizeBytes = bytes.length;
  const sha1 = createHash('sha1').update(bytes).digest('hex');
  const pin = { strength: 'strong', value: `etag:${sha1}` } as const;
  const entry: ObjectEntry = { path: '', kind: 'file', sizeBytes, pin };
  return {
    name: 'mlrun',
    root: 'inline',
    capabilities: {
      canList: false,
      ranges: 'yes',
      pin: 'strong',
      knowsSizes: true,
      nativeDigests: [],
      listsInOrder: true,
      maxConnections: 1,
    },
    stat: () => Promise.resolve(entry),
    list: () => {
      throw mlrunError('WB_NOT_FOUND', 'the artifact is a file, not a folder', {
        operation: 'list',
      });
    },
    openRead: async (_path: string, options: ReadOptions = {}): Promise<OpenObject> => {
      await Promise.resolve();
      const { offsetBytes = 0, lengthBytes = Infinity } = options;
      const part = bytes.subarray(offsetBytes, Math.min(sizeBytes, offsetBytes + lengthBytes));
      return {
        body: Readable.from([part], { objectMode: false }),
        offsetBytes,
        lengthBytes: part.length,
        sizeBytes,
        pin,
        ending: 'length',
      };
    },
    close: () => Promise.resolve(),
  };
}
