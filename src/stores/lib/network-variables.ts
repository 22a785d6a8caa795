/** The environment variables by which people already tell their tools about proxies and certificates. */
import { splitSecrets } from '../../model/artifact-uri.js';

/**
 * Names that the command line collects for every store that speaks HTTP. Proxy addresses may hold a password:
 * collect them through `splitNetworkVariables`, which moves such a value to the secrets.
 */
export const NETWORK_VARIABLES: {
  readonly settings: readonly string[];
  readonly secrets: readonly string[];
} = {
  settings: [
    'HTTP_PROXY',
    'HTTPS_PROXY',
    'ALL_PROXY',
    'NO_PROXY',
    'http_proxy',
    'https_proxy',
    'all_proxy',
    'no_proxy',
    'SSL_CERT_FILE',
    'SSL_CERT_DIR',
    'REQUESTS_CA_BUNDLE',
    'CURL_CA_BUNDLE',
    'AWS_CA_BUNDLE',
    'NODE_EXTRA_CA_CERTS',
    'MLFLOW_TRACKING_SERVER_CERT_PATH',
    'MLFLOW_TRACKING_CLIENT_CERT_PATH',
    'MLFLOW_TRACKING_INSECURE_TLS',
    'WAYBILL_CA_FILE',
    'WAYBILL_CLIENT_CERT_FILE',
    'WAYBILL_CLIENT_KEY_FILE',
    'WAYBILL_ORIGINS',
    'WAYBILL_PREFIXES',
    'WAYBILL_CONNECT_TIMEOUT',
    'WAYBILL_STALL_TIMEOUT',
  ],
  secrets: ['WAYBILL_CLIENT_KEY_PASSWORD'],
};

/** A variable that holds the address of a proxy, in either spelling. */
export const PROXY_VARIABLE = /^(https?|all)_proxy$/i;

/** Variables by where they go: settings travel with the request, secrets do not. */
export interface SplitVariables {
  readonly settings: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
}

/**
 * Picks the network variables out of an environment. A proxy address with a user or password goes whole to
 * `secrets` under the same name, and without them to `settings`; stores look into `secrets` first.
 */
export function splitNetworkVariables(
  environment: Readonly<Record<string, string | undefined>>,
): SplitVariables {
  const settings: Record<string, string> = {};
  const secrets: Record<string, string> = {};
  for (const name of NETWORK_VARIABLES.settings) {
    const value = environment[name];
    if (value === undefined || value === '') continue;
    if (!PROXY_VARIABLE.test(name)) {
      settings[name] = value;
      continue;
    }
    const address = withScheme(value);
    const split = splitSecrets(address);
    settings[name] = split.uri;
    if (Object.keys(split.secrets).length > 0) secrets[name] = address;
  }
  return { settings, secrets };
}

/** `proxy:3128` is how many people write a proxy; it means `http://proxy:3128`. */
export function withScheme(proxy: string): string {
  return proxy.includes('://') ? proxy : `http://${proxy}`;
}
