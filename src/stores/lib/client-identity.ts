/** Who a client says it is by a certificate, where a service asks for one. */
import { createSecureContext } from 'node:tls';
import type { ConnectionSecrets, ConnectionSettings } from '../store.js';
import { invalid, isSet, readText } from './pem-files.js';
import type { NetworkProfile } from './tls.js';

/** A client certificate with its key, as PEM. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
  readonly passphrase?: string;
}

const KEY_PASSWORD = 'WAYBILL_CLIENT_KEY_PASSWORD';

/**
 * Reads the certificate that the settings name; undefined: none. Waybill's own variables hold for every store, MLflow's for
 * the tracking server alone. Files that cannot be read or do not belong together are WB_CONFIG_INVALID.
 */
export function readIdentity(
  settings: ConnectionSettings,
  secrets: ConnectionSecrets,
  profile: NetworkProfile,
): Identity | undefined {
  const certVariable = ['WAYBILL_CLIENT_CERT_FILE', 'MLFLOW_TRACKING_CLIENT_CERT_PATH'].find(
    (name) => isSet(settings[name]) && (name.startsWith('WAYBILL_') || profile === 'mlflow'),
  );
  const keyVariable = 'WAYBILL_CLIENT_KEY_FILE';
  if (certVariable === undefined) {
    if (!isSet(settings[keyVariable])) return undefined;
    throw invalid(`${keyVariable} is set without WAYBILL_CLIENT_CERT_FILE: set both`);
  }
  const cert = readText(settings[certVariable] ?? '', certVariable);
  const hasOwnKey = certVariable.startsWith('WAYBILL_') && isSet(settings[keyVariable]);
  const key = hasOwnKey ? readText(settings[keyVariable] ?? '', keyVariable) : cert;
  const passphrase = secrets[KEY_PASSWORD];
  const identity = { cert, key, ...(passphrase === undefined ? {} : { passphrase }) };
  checkIdentity(identity, certVariable, hasOwnKey ? keyVariable : certVariable);
  return identity;
}

function checkIdentity(identity: Identity, certVariable: string, keyVariable: string): void {
  if (!identity.cert.includes('-----BEGIN CERTIFICATE')) {
    throw invalid(`${certVariable} names a file that holds no PEM certificate`);
  }
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY/.test(identity.key)) {
    const advice =
      keyVariable === 'MLFLOW_TRACKING_CLIENT_CERT_PATH'
        ? 'put the key into the same file, after the certificate'
        : 'name the file of the key with WAYBILL_CLIENT_KEY_FILE';
    throw invalid(`${keyVariable} names a file that holds no private key: ${advice}`);
  }
  try {
    createSecureContext({ ...identity });
  } catch (cause) {
    const isLocked =
      /ENCRYPTED/.test(identity.key) && /passphrase|bad decrypt|interrupted/i.test(String(cause));
    throw invalid(
      isLocked
        ? `the key in ${keyVariable} is encrypted: set ${KEY_PASSWORD} to its password`
        : `${certVariable} and ${keyVariable} do not hold a certificate and its own key, as PEM`,
      cause,
    );
  }
}
