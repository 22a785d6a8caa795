/** Secrets that commands handed over: in memory only, under a name that says nothing about them (rule 2). */
import { createHmac } from 'node:crypto';
import { WaybillError } from '../model/errors.js';
import type { Secrets } from './control-client.js';

/** Beyond so many sets the one that was unused for longest is forgotten; its pulls ask for it again. */
const MAX_SETS = 256;

/** Secrets by fingerprint. */
export interface CredentialsVault {
  /** @returns the fingerprint: the same secrets have the same one, now and after a restart */
  put(secrets: Secrets): string;
  /** @throws WaybillError WB_UNAUTHENTICATED when they are not here */
  get(fingerprint: string): Secrets;
}

/**
 * Makes an empty vault. The fingerprint is an HMAC under a key of the state folder: a plain hash in Temporal's
 * history would let whoever reads it try passwords.
 */
export function createCredentialsVault(key: Buffer): CredentialsVault {
  const sets = new Map<string, Secrets>();
  return {
    put(secrets) {
      const fingerprint = createHmac('sha256', key).update(canonicalJson(secrets)).digest('hex');
      sets.delete(fingerprint);
      sets.set(fingerprint, { ...secrets });
      const [oldest] = sets.keys();
      if (sets.size > MAX_SETS && oldest !== undefined) sets.delete(oldest);
      return fingerprint;
    },
    get(fingerprint) {
      const found = sets.get(fingerprint);
      if (found === undefined) {
        throw new WaybillError(
          'WB_UNAUTHENTICATED',
          'The pull needs credentials that the local service no longer has: it was restarted. ' +
            'Run the same pull again from a shell that has them.',
          { operation: 'get credentials' },
        );
      }
      sets.delete(fingerprint);
      sets.set(fingerprint, found);
      return { ...found };
    },
  };
}

/** Keys sorted by code point, no spaces: equal secrets, equal bytes. */
function canonicalJson(secrets: Secrets): string {
  const names = Object.keys(secrets).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return JSON.stringify(names.map((name) => [name, secrets[name]]));
}
