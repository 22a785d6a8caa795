/**
 * Encryption of what a pull tells Temporal (an option on a cluster): names of files, addresses, messages are readable only
 * to those who have the key file. Ids, task queues and the kinds of steps stay readable, for Temporal works with them.
 */
import type { Payload, PayloadCodec } from '@temporalio/common';
import imported from '@temporalio/proto';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { WaybillError } from '../model/errors.js';
import type { PayloadKeys } from './payload-keys.js';

const ENCODING = 'binary/encrypted';
const KEY_ID_ENTRY = 'encryption-key-id';
const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Where packages are symbolic links (pnpm), Node gives whoever imports this one an empty module, in every third start, because
 * Temporal's client requires it meanwhile.
 */
const proto: typeof imported =
  'temporal' in imported
    ? imported
    : (createRequire(import.meta.url)('@temporalio/proto') as typeof imported);

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;

/** Encrypts with the first key of the file, and reads what any of them has encrypted. */
export class EncryptingCodec implements PayloadCodec {
  constructor(private readonly keys: PayloadKeys) {}

  encode(payloads: Payload[]): Promise<Payload[]> {
    return Promise.resolve(payloads.map((payload) => this.close(payload)));
  }

  async decode(payloads: Payload[]): Promise<Payload[]> {
    await Promise.resolve();
    return payloads.map((payload) => this.open(payload));
  }

  /** One payload as it was before; what was never encrypted stays as it is. WB_CONFIG_INVALID where its key is missing. */
  open(payload: Payload): Payload {
    const { metadata = {}, data } = payload;
    if (textOf(metadata?.['encoding']) !== ENCODING || !data) return payload;
    const keyId = textOf(metadata?.[KEY_ID_ENTRY]);
    const key = this.keys.all.get(keyId);
    if (key === undefined) {
      throw new WaybillError(
        'WB_CONFIG_INVALID',
        `${this.keys.file} has no key "${keyId}", with which this was encrypted: add its line again`,
        { operation: 'decrypt' },
      );
    }
    const bytes = Buffer.from(data);
    const [iv, tag] = [bytes.subarray(0, IV_BYTES), bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES)];
    try {
      const decipher = createDecipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES });
      decipher.setAAD(Buffer.from(keyId)).setAuthTag(tag);
      const hidden = bytes.subarray(IV_BYTES + TAG_BYTES);
      const plain = Buffer.concat([decipher.update(hidden), decipher.final()]);
      return PayloadMessage.decode(plain);
    } catch (error) {
      throw new WaybillError(
        'WB_CONFIG_INVALID',
        `what was encrypted with the key "${keyId}" cannot be read: ${this.keys.file} has another key of this name, or it was changed`,
        { operation: 'decrypt', cause: error },
      );
    }
  }

  private close(payload: Payload): Payload {
    const { id, key } = this.keys.current;
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES });
    cipher.setAAD(Buffer.from(id));
    const plain = PayloadMessage.encode(payload).finish();
    const hidden = Buffer.concat([cipher.update(plain), cipher.final()]);
    return {
      metadata: { encoding: Buffer.from(ENCODING), [KEY_ID_ENTRY]: Buffer.from(id) },
      data: Buffer.concat([iv, cipher.getAuthTag(), hidden]),
    };
  }
}

function textOf(bytes: Uint8Array | null | undefined): string {
  return bytes ? Buffer.from(bytes).toString('utf8') : '';
}
