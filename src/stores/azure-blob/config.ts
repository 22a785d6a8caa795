/** The Azure store's address, account and settings, read and checked. */
import { isIP } from 'node:net';
import { WaybillError } from '../../model/errors.js';
import type { ConnectionSettings, StoreAddress } from '../store.js';
import { accountOfHost, parseAzureUri } from './address.js';
import { parseConnectionString } from './connection-string.js';
import type { ConnectionString } from './connection-string.js';
import { chooseCredential } from './credentials.js';
import type { Chosen } from './credentials.js';
import { pick } from './variables.js';

/** All that the store needs to know. */
export interface AzureConfig {
  readonly account: string;
  /** What says so: a variable, or the address. */
  readonly accountFrom: string;
  readonly container: string;
  /** The key or key prefix of the root, without the slash at its end; '' is the whole container. */
  readonly rootKey: string;
  /** The URI ended in a slash: the root is a folder, whatever blob has its name. */
  readonly isFolder: boolean;
  /** As in the address, without the slash at its end. */
  readonly root: string;
  /** Scheme and authority of the address: keys are shown below it. */
  readonly shownContainer: string;
  /** Where the account's blobs are; with a path where the account stands in it. */
  readonly endpoint: URL;
  readonly chosen: Chosen;
}

const ACCOUNT = /^[a-z0-9]{3,24}$/;

/** Reads an address. A malformed URI is WB_USAGE, a setting that cannot be right WB_CONFIG_INVALID naming it. */
export function readAzureConfig(address: StoreAddress): AzureConfig {
  const { settings, secrets } = address;
  if (secrets['username'] !== undefined || secrets['password'] !== undefined) {
    throw invalid('a user and a password in an Azure address are not taken: set AZURE_STORAGE_KEY');
  }
  const { container, key, origin, account: named, host } = parseAzureUri(address.uri);
  const text = secrets['AZURE_STORAGE_CONNECTION_STRING'] ?? '';
  const connection =
    text.trim() === '' ? undefined : parseConnectionString(text, 'AZURE_STORAGE_CONNECTION_STRING');
  const set = pick(settings, ['AZURE_STORAGE_ACCOUNT', 'AZURE_STORAGE_ACCOUNT_NAME']);
  const account = named ?? set?.value.toLowerCase() ?? connection?.account;
  if (account === undefined) {
    throw invalid(
      `${origin} names no account: set AZURE_STORAGE_ACCOUNT, or write wasbs://${container}@account.blob.core.windows.net`,
    );
  }
  if (!ACCOUNT.test(account)) throw invalid(`${account} is not the name of a storage account`);
  const fits = connection?.account === undefined || connection.account === account;
  const rootKey = key.endsWith('/') ? key.slice(0, -1) : key;
  return {
    account,
    accountFrom:
      named === undefined ? (set?.name ?? 'AZURE_STORAGE_CONNECTION_STRING') : 'the address',
    container,
    rootKey,
    isFolder: key === '' || key.endsWith('/'),
    root: `${origin}${rootKey === '' ? '' : `/${rootKey}`}`,
    shownContainer: origin,
    endpoint: endpointOf(account, host, settings, fits ? connection : undefined),
    chosen: chooseCredential({ account, settings, secrets, connection, connectionFits: fits }),
  };
}

function endpointOf(
  account: string,
  host: string | undefined,
  settings: ConnectionSettings,
  connection: ConnectionString | undefined,
): URL {
  const set = pick(settings, ['AZURE_STORAGE_SERVICE_ENDPOINT', 'AZURE_STORAGE_ENDPOINT']);
  if (connection?.endpoint !== undefined) {
    return withAccount(
      checkEndpoint(connection.endpoint, 'AZURE_STORAGE_CONNECTION_STRING'),
      account,
    );
  }
  const own = set && checkEndpoint(set.value, set.name);
  // The endpoint of one account says nothing about another.
  const other = own && accountOfHost(own.hostname);
  if (own && (other === undefined || other.account === account)) return withAccount(own, account);
  return new URL(`https://${host ?? `${account}.blob.core.windows.net`}`);
}

/** Throws WB_CONFIG_INVALID unless the text is `http://host[:port][/path]`, or https; it is never repeated: it may hold a secret. */
function checkEndpoint(text: string, name: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.username === '' && url.search === '') return url;
  throw invalid(
    `${name} does not hold the address of a blob service: write https://account.blob.core.windows.net or http://127.0.0.1:10000`,
  );
}

/** Before an address or a bare name there can be no account: it stands in the path, as with Azurite. */
function withAccount(url: URL, account: string): URL {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const isBare = isIP(host) !== 0 || !host.includes('.');
  const path = url.pathname.replace(/\/+$/, '');
  return new URL(`${url.origin}${isBare && path === '' ? `/${account}` : path}`);
}

function invalid(message: string): WaybillError {
  return new WaybillError('WB_CONFIG_INVALID', message, { operation: 'open', store: 'azure-blob' });
}
