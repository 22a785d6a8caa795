/** `v3io://` addresses: a container of Iguazio's platform, and a path in it. */
import { WaybillError } from '../../../model/errors.js';
import type { ConnectionSettings } from '../../store.js';

/** Where the files lie, and whom to ask. */
export interface V3ioPlace {
  /** Scheme and host of the web API, no slash at the end. */
  readonly api: string;
  readonly container: string;
  /** Below the container, without slashes at its ends; '' is all of it. */
  readonly rootKey: string;
  /** The address as it was given. */
  readonly uri: string;
}

/** The setting that says where the web API is. */
export const API_SETTING = 'V3IO_API';

function refuse(code: 'WB_USAGE' | 'WB_CONFIG_INVALID', message: string): WaybillError {
  return new WaybillError(code, message, { operation: 'open', store: 'mlrun' });
}

/** The origin of the web API; a host without a scheme is asked over TLS. Undefined: none is set. */
export function apiOf(settings: ConnectionSettings): string | undefined {
  const said = settings[API_SETTING];
  if (said === undefined || said === '') return undefined;
  const address = /^https?:\/\//i.test(said) ? said : `https://${said}`;
  if (!URL.canParse(address)) throw refuse('WB_CONFIG_INVALID', `${API_SETTING} is no address`);
  return new URL(address).origin;
}

/**
 * Reads `v3io:///container/path` and `v3io://host/container/path`. The first means the web API of V3IO_API; without it is
 * WB_CONFIG_INVALID. Nothing in a path is decoded.
 */
export function parseV3io(uri: string, settings: ConnectionSettings): V3ioPlace {
  const [, scheme = '', host = '', path = ''] = /^(v3ios?):\/\/([^/]*)(.*)$/is.exec(uri) ?? [];
  const [container = '', ...segments] = path.replace(/^\/+/, '').replace(/\/+$/, '').split('/');
  if (scheme === '' || container === '') {
    throw refuse('WB_USAGE', `${uri} names no container: write v3io:///container/path`);
  }
  const api =
    host === '' ? apiOf(settings) : `${/^v3ios$/i.test(scheme) ? 'https' : 'http'}://${host}`;
  if (api === undefined) {
    throw refuse(
      'WB_CONFIG_INVALID',
      `no web API is named for ${uri}: set ${API_SETTING} to its address (https://webapi.default-tenant.app.example.com)`,
    );
  }
  return { api, container, rootKey: segments.filter((one) => one !== '').join('/'), uri };
}
