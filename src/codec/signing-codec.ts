/**
 * The signatures of the local service (rule 1). Its Temporal asks nobody for a password, so each payload carries an HMAC
 * under a key that only the owner of the state folder can read. What is signed stays readable: Temporal's pages show it as
 * before.
 */
import { defaultPayloadConverter, type Payload, type PayloadCodec } from '@temporalio/common';
import type { SerializationContext } from '@temporalio/common';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { UNSIGNED } from '../model/unsigned.js';

/** The entry of a payload's metadata that holds its signature. */
export const MAC_ENTRY = 'waybill-mac';

/** Another use of the same key, or another form of what is signed, has another name. */
const DOMAIN = 'waybill payload v1';

/**
 * Signs what goes out, and takes the signature off what comes in; what has none, or a wrong one, becomes `UNSIGNED`. It
 * never throws: a workflow whose input throws would be tried again for ever.
 *
 * A signature holds for one place: the namespace, the workflow's id and, for what belongs to an activity, its id. So
 * nothing that was signed can be given to another pull, nor to another step of the same.
 */
export class SigningCodec implements PayloadCodec {
  /** @param key 32 random bytes */
  constructor(private readonly key: Buffer) {}

  encode(payloads: Payload[], context?: SerializationContext): Promise<Payload[]> {
    return Promise.resolve(payloads.map((payload) => this.sign(payload, context)));
  }

  decode(payloads: Payload[], context?: SerializationContext): Promise<Payload[]> {
    return Promise.resolve(payloads.map((payload) => this.open(payload, context)));
  }

  /** One payload without its signature, or `UNSIGNED`. */
  open(payload: Payload, context?: SerializationContext): Payload {
    const { [MAC_ENTRY]: mac, ...metadata } = payload.metadata ?? {};
    const plain: Payload = { ...payload, metadata };
    if (mac !== undefined && isEqual(mac, this.macOf(plain, context))) return plain;
    return defaultPayloadConverter.toPayload(UNSIGNED);
  }

  private sign(payload: Payload, context: SerializationContext | undefined): Payload {
    const { [MAC_ENTRY]: _old, ...metadata } = payload.metadata ?? {};
    const mac = this.macOf({ ...payload, metadata }, context);
    return { ...payload, metadata: { ...metadata, [MAC_ENTRY]: mac } };
  }

  private macOf(payload: Payload, context: SerializationContext | undefined): Buffer {
    const hmac = createHmac('sha256', this.key);
    // Each field behind its length: no two lists of fields run together into the same bytes.
    const add = (field: string | Uint8Array): void => {
      const bytes = Buffer.from(field);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      hmac.update(length).update(bytes);
    };
    add(DOMAIN);
    for (const field of placeOf(context)) add(field);
    const metadata = Object.entries(payload.metadata ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
    add(String(metadata.length));
    for (const [name, value] of metadata) {
      add(name);
      add(value);
    }
    add(payload.data ?? new Uint8Array());
    return hmac.digest();
  }
}

function placeOf(context: SerializationContext | undefined): string[] {
  if (context === undefined) return ['nowhere', '', '', ''];
  const activityId = context.type === 'activity' ? (context.activityId ?? '') : '';
  return [context.type, context.namespace, context.workflowId ?? '', activityId];
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
