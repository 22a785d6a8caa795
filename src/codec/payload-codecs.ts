/** What the payloads of a client or a worker go through. */
import type { PayloadCodec } from '@temporalio/common';
import { EncryptingCodec } from './encrypting-codec.js';
import type { PayloadKeys } from './payload-keys.js';
import { SigningCodec } from './signing-codec.js';

/** The keys that a client or a worker has. */
export interface CodecKeys {
  /** The local service: payloads are signed with it, and what is not is not believed (rule 1). */
  readonly payloadKey?: Buffer;
  /** A cluster: payloads are encrypted. */
  readonly encryption?: PayloadKeys;
}

/** The data converter of Temporal's SDK with both, in the order in which they undo each other: the last one encodes first. */
export function converterOptions({ payloadKey, encryption }: CodecKeys): {
  dataConverter?: { payloadCodecs: PayloadCodec[] };
} {
  const payloadCodecs = [
    ...(payloadKey === undefined ? [] : [new SigningCodec(payloadKey)]),
    ...(encryption === undefined ? [] : [new EncryptingCodec(encryption)]),
  ];
  return payloadCodecs.length === 0 ? {} : { dataConverter: { payloadCodecs } };
}
