/** Who is asking: what comes with the address, what the settings hold, or a token of Microsoft Entra. */
import { WaybillError } from '../../model/errors.js';
import type { ConnectionSecrets, ConnectionSettings } from '../store.js';
import type { ConnectionString } from './connection-string.js';
import { AZURE_KEYS } from '../lib/secret-variables.js';
import { pick } from './variables.js';

/** What a request is made with. `from` names where it stands, for messages. */
export type Credential =
  | { readonly kind: 'key'; readonly key: Buffer; readonly from: string }
  | { readonly kind: 'sas'; readonly query: string; readonly from: string }
  | { readonly kind: 'token'; readonly from: string }
  | { readonly kind: 'none'; readonly from: string };

/** The credential, and what was set but is for another account. */
export interface Chosen {
  readonly credential: Credential;
  readonly passedOver: readonly string[];
}

/** Where credentials are looked for. */
export interface CredentialInput {
  readonly account: string;
  readonly settings: ConnectionSettings;
  readonly secrets: ConnectionSecrets;
  readonly connection: ConnectionString | undefined;
  readonly connectionFits: boolean;
}

/** Chooses, in the order of docs/credentials.md. A key or a signature that cannot be one is WB_CONFIG_INVALID. */
export function chooseCredential(input: CredentialInput): Chosen {
  const { settings, secrets, connection, connectionFits, account } = input;
  const passedOver: string[] = [];
  const chosen = (credential: Credential): Chosen => ({ credential, passedOver });
  const signed = secrets['query'] ?? '';
  if (/(^|[?&])sig=/i.test(signed)) return chosen(sasOf(signed, 'the signature in the address'));
  if (/^(true|1|yes|on)$/i.test(settings['AZURE_STORAGE_ANON']?.trim() ?? '')) {
    return chosen({ kind: 'none', from: 'AZURE_STORAGE_ANON' });
  }
  if (connection !== undefined) {
    const name = 'AZURE_STORAGE_CONNECTION_STRING';
    const { accountKey, sas } = connection;
    if (!connectionFits) passedOver.push(`${name} is for the account ${connection.account ?? '?'}`);
    else if (accountKey !== undefined) return chosen(keyOf(accountKey, name));
    else if (sas !== undefined) return chosen(sasOf(sas, name));
    else passedOver.push(`${name} holds neither AccountKey nor SharedAccessSignature`);
  }
  const set = pick(settings, ['AZURE_STORAGE_ACCOUNT', 'AZURE_STORAGE_ACCOUNT_NAME']);
  const key = pick(secrets, AZURE_KEYS);
  const sas = pick(secrets, ['AZURE_STORAGE_SAS_TOKEN']);
  if (set !== undefined && set.value.toLowerCase() !== account) {
    for (const one of [key, sas]) {
      if (one) passedOver.push(`${one.name} is for the account ${set.value} (${set.name})`);
    }
  } else {
    if (key) return chosen(keyOf(key.value, key.name));
    if (sas) return chosen(sasOf(sas.value, sas.name));
  }
  return chosen({ kind: 'token', from: 'the sign-in at Microsoft Entra' });
}

function keyOf(base64: string, from: string): Credential {
  const key = Buffer.from(base64, 'base64');
  const isKey = /^[A-Za-z0-9+/]+={0,2}$/.test(base64) && key.length >= 16;
  if (isKey) return { kind: 'key', key, from };
  throw new WaybillError(
    'WB_CONFIG_INVALID',
    `${from} holds no account key, which is Base64 of 64 bytes: az storage account keys list --account-name ACCOUNT`,
    { operation: 'open', store: 'azure-blob' },
  );
}

function sasOf(text: string, from: string): Credential {
  // What belongs to the call that somebody copied it from is not part of it.
  const query = text
    .trim()
    .replace(/^\?/, '')
    .split('&')
    .filter((one) => one !== '' && !/^(comp|restype|prefix|delimiter)=/i.test(one))
    .join('&');
  const isSas = /(^|&)sig=[^&]+/i.test(query) && !/[\s#]/.test(query);
  if (isSas) return { kind: 'sas', query, from };
  throw new WaybillError(
    'WB_CONFIG_INVALID',
    `${from} holds no shared access signature: it looks like sv=...&se=...&sp=rl&sig=...`,
    { operation: 'open', store: 'azure-blob' },
  );
}
