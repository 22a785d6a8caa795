/** The checks of doctor that read the environment as every store does: certificates and proxies. */
import { environmentOf } from '../config.js';
import { asWaybillError } from '../model/errors.js';
import type { DoctorCheck } from '../service/doctor.js';
import { NETWORK_VARIABLES, PROXY_VARIABLE } from '../stores/lib/network-variables.js';
import { readProxyRules } from '../stores/lib/proxy.js';
import { readTlsSettings, type NetworkProfile } from '../stores/lib/tls.js';

/** Variables that name certificates, each with those that belong to it, and whose they are. */
const CERTIFICATES: readonly { readonly names: readonly string[]; readonly of: NetworkProfile }[] =
  [
    { names: ['WAYBILL_CA_FILE'], of: 'http' },
    { names: ['SSL_CERT_FILE'], of: 'http' },
    { names: ['SSL_CERT_DIR'], of: 'http' },
    { names: ['REQUESTS_CA_BUNDLE'], of: 'http' },
    { names: ['CURL_CA_BUNDLE'], of: 'http' },
    { names: ['NODE_EXTRA_CA_CERTS'], of: 'http' },
    { names: ['AWS_CA_BUNDLE'], of: 's3' },
    { names: ['MLFLOW_TRACKING_SERVER_CERT_PATH'], of: 'mlflow' },
    { names: ['MLFLOW_TRACKING_CLIENT_CERT_PATH'], of: 'mlflow' },
    { names: ['WAYBILL_CLIENT_CERT_FILE', 'WAYBILL_CLIENT_KEY_FILE'], of: 'http' },
  ];

/** Every certificate that the environment names can be used. */
export function checkCertificates(): DoctorCheck {
  const secrets = environmentOf(NETWORK_VARIABLES.secrets);
  const groups = CERTIFICATES.map(({ names, of }) => ({ of, found: environmentOf(names) }));
  return judge(
    'certificates',
    groups
      .filter(({ found }) => Object.keys(found).length > 0)
      .map(({ of, found }) => ({
        names: Object.keys(found),
        read: () => void readTlsSettings(found, secrets, of).withIdentity.secureContext,
      })),
  );
}

/** Every proxy that the environment names is an address. */
export function checkProxies(): DoctorCheck {
  const found = environmentOf(
    NETWORK_VARIABLES.settings.filter((name) => PROXY_VARIABLE.test(name)),
  );
  return judge(
    'proxies',
    Object.entries(found).map(([name, value]) => ({
      names: [name],
      read: () => void readProxyRules({ [name]: value }, {}),
    })),
  );
}

/** Reads each; what cannot be read is a problem for every pull over HTTP, whatever it is needed for. */
function judge(
  name: string,
  variables: readonly { readonly names: readonly string[]; readonly read: () => void }[],
): DoctorCheck {
  const wrong = variables.flatMap(({ names, read }) => {
    try {
      read();
      return [];
    } catch (error) {
      return [{ names, why: asWaybillError(error).message }];
    }
  });
  if (wrong.length > 0) {
    const finding = wrong.map(({ why }) => why).join('; ');
    const remedy = `unset ${wrong.flatMap(({ names }) => names).join(' ')}`;
    return { name, result: 'problem', finding, remedy };
  }
  const named = variables.flatMap(({ names }) => names).join(', ');
  return { name, result: 'ok', finding: named === '' ? 'no variable names any' : named };
}
