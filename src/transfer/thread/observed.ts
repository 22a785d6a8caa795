/** What was observed of an object, beside its bytes. */
import type { OpenObject } from '../../stores/store.js';
import type { Observed } from './tasks.js';

/** What of an answer outlives its body. */
export function observedOf(opened: Omit<OpenObject, 'body' | 'offsetBytes'>): Observed {
  return {
    ending: opened.ending,
    ...(opened.pin === undefined ? {} : { pin: opened.pin }),
    ...(opened.sizeBytes === undefined ? {} : { sizeBytes: opened.sizeBytes }),
    ...(opened.modifiedAt === undefined ? {} : { modifiedAt: opened.modifiedAt }),
    ...(opened.digests === undefined ? {} : { digests: opened.digests }),
    ...(opened.areDigestsFresh === undefined ? {} : { areDigestsFresh: true as const }),
    ...(opened.recordedDigests === undefined ? {} : { recordedDigests: opened.recordedDigests }),
    ...(opened.answeredAt === undefined ? {} : { answeredAt: opened.answeredAt }),
  };
}
