/** Connection strings, as the Azure portal and `az storage account show-connection-string` give them. */
import { WaybillError } from '../../model/errors.js';
import { accountOfHost } from './address.js';

/** What a connection string says. */
export interface ConnectionString {
  /** Absent where it holds an endpoint of one's own and a signature only. */
  readonly account?: string;
  /** With the account in the path, for an emulator. */
  readonly endpoint?: string;
  readonly accountKey?: string;
  readonly sas?: string;
}

/** Azurite and the emulator before it: published, the same everywhere. */
export const EMULATOR = {
  account: 'devstoreaccount1',
  accountKey:
    'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
} as const;

/** Reads a connection string. One that cannot be right is WB_CONFIG_INVALID; its text is never repeated. */
export function parseConnectionString(text: string, name: string): ConnectionString {
  const fields = fieldsOf(text, name);
  if (/^true$/i.test(fields['usedevelopmentstorage'] ?? '')) return emulator(fields);
  const { accountname, accountkey, sharedaccesssignature, blobendpoint } = fields;
  const endpoint = blobendpoint ?? endpointOf(fields);
  const account = accountname?.toLowerCase() ?? accountOfEndpoint(endpoint);
  if (endpoint === undefined) {
    throw invalid(`${name} is no connection string: it has neither AccountName nor BlobEndpoint`);
  }
  return {
    endpoint,
    ...(account === undefined ? {} : { account }),
    ...(accountkey === undefined ? {} : { accountKey: accountkey }),
    ...(sharedaccesssignature === undefined ? {} : { sas: sharedaccesssignature }),
  };
}

function fieldsOf(text: string, name: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const part of text.split(';')) {
    if (part.trim() === '') continue;
    const at = part.indexOf('=');
    if (at < 1)
      throw invalid(`${name} is no connection string: write AccountName=...;AccountKey=...`);
    const value = part.slice(at + 1).trim();
    if (value !== '') fields[part.slice(0, at).trim().toLowerCase()] = value;
  }
  return fields;
}

function emulator(fields: Record<string, string>): ConnectionString {
  const proxy = fields['developmentstorageproxyuri']?.replace(/\/+$/, '') ?? 'http://127.0.0.1';
  return { ...EMULATOR, endpoint: `${proxy}:10000/${EMULATOR.account}` };
}

function endpointOf(fields: Record<string, string>): string | undefined {
  const { accountname, defaultendpointsprotocol = 'https', endpointsuffix } = fields;
  if (accountname === undefined) return undefined;
  return `${defaultendpointsprotocol}://${accountname}.blob.${endpointsuffix ?? 'core.windows.net'}`;
}

function accountOfEndpoint(endpoint: string | undefined): string | undefined {
  if (endpoint === undefined || !URL.canParse(endpoint)) return undefined;
  const { hostname, pathname } = new URL(endpoint);
  return accountOfHost(hostname)?.account ?? /^\/([^/]+)/.exec(pathname)?.[1];
}

function invalid(message: string): WaybillError {
  return new WaybillError('WB_CONFIG_INVALID', message, { operation: 'open', store: 'azure-blob' });
}
