/** The forms of an Azure address. */
import { WaybillError } from '../../model/errors.js';

/** A container, or what lies below a key of it. */
export interface AzureAddress {
  readonly container: string;
  /** As in the address, a slash at its end included; '' is the whole container. */
  readonly key: string;
  /** Absent in `az://container/path`: the settings say which account. */
  readonly account?: string;
  /** Where its blobs are, also of an address that names the `dfs` service. */
  readonly host?: string;
  /** `scheme://authority`, as shown. */
  readonly origin: string;
}

const URI = /^(wasbs?|abfss?|az):\/\/([^/?#]*)(?:\/([\s\S]*))?$/i;

/** Azure's names of containers, and the three that begin with a dollar. */
const CONTAINER = /^(?:\$(?:root|web|logs)|(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*)$/;

/** A host of Azure: account, perhaps a zone, service, cloud. Credentials go to no other (rule 4). */
const HOST =
  /^([a-z0-9]{3,24})(?:\.(z\d{1,2}))?\.(?:blob|dfs)\.(core\.(?:windows\.net|chinacloudapi\.cn|usgovcloudapi\.net|cloudapi\.de)|storage\.azure\.net)$/i;

/** What a shared access signature has beside the parameters that are kept apart as secrets. */
const REST_OF_SAS =
  /\?(?:(?:ss|srt|spr|sip|si|sdd|ses|saoid|suoid|scid|rscc|rscd|rsce|rscl|rsct|comp|restype)=[^&?]*(?:&|$))+$/i;

/** The account of a host name of Azure, and the host of its blobs; undefined: it is none. */
export function accountOfHost(text: string): { account: string; host: string } | undefined {
  const [, account, zone, cloud] = HOST.exec(text.toLowerCase()) ?? [];
  if (account === undefined || cloud === undefined) return undefined;
  const host = [account, ...(zone === undefined ? [] : [zone]), 'blob', cloud].join('.');
  return { account, host };
}

/** Splits an address. Nothing is decoded: `?`, `#` and `%` are characters of a name. Malformed: WB_USAGE. */
export function parseAzureUri(uri: string): AzureAddress {
  const [, scheme = '', authority = '', key = ''] = URI.exec(uri.replace(REST_OF_SAS, '')) ?? [];
  const at = authority.indexOf('@');
  const container = at < 0 ? authority : authority.slice(0, at);
  if (scheme === '' || container === '') {
    throw usage(
      `not an Azure address: write wasbs://container@account.blob.core.windows.net/path or az://container/path, not ${uri}`,
    );
  }
  if (!CONTAINER.test(container)) {
    throw usage(`"${container}" is not the name of a container`);
  }
  const origin = `${scheme.toLowerCase()}://${authority}`;
  if (at < 0) return { container, key, origin };
  const host = authority.slice(at + 1);
  const found = accountOfHost(host);
  if (found !== undefined) return { container, key, origin, ...found };
  throw usage(
    `${host} is no host of Azure Storage: write ${container}@account.blob.core.windows.net; for an emulator or a name of your own ` +
      `set AZURE_STORAGE_SERVICE_ENDPOINT`,
  );
}

function usage(message: string): WaybillError {
  return new WaybillError('WB_USAGE', message, { operation: 'open', store: 'azure-blob' });
}
