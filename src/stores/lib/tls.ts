/** Certificates of a connection, from the variables that curl, requests, the AWS tools, Node and MLflow read. */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import { WaybillError } from '../../model/errors.js';
import type { ConnectionSettings } from '../store.js';

/** Whose variables count: a CA meant for the tracking server says nothing about the bucket behind it. */
export type NetworkProfile = 'http' | 's3' | 'mlflow';

/** What a TLS connection gets; both absent: Node's defaults. */
export interface TlsSettings {
  readonly secureContext?: SecureContext;
  readonly rejectUnauthorized?: false;
}

/** The first that is set replaces the built-in roots, as it does in the tool that reads it. */
const CA_VARIABLES: Readonly<Record<NetworkProfile, readonly string[]>> = {
  http: ['REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'SSL_CERT_FILE', 'SSL_CERT_DIR'],
  s3: ['AWS_CA_BUNDLE', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'SSL_CERT_FILE', 'SSL_CERT_DIR'],
  mlflow: [
    'MLFLOW_TRACKING_SERVER_CERT_PATH',
    'REQUESTS_CA_BUNDLE',
    'CURL_CA_BUNDLE',
    'SSL_CERT_FILE',
    'SSL_CERT_DIR',
  ],
};

/** `true` or `1` switches the check of certificates off, for the service that the variable is about. */
const INSECURE_VARIABLES: Readonly<Partial<Record<NetworkProfile, string>>> = {
  mlflow: 'MLFLOW_TRACKING_INSECURE_TLS',
  s3: 'MLFLOW_S3_IGNORE_TLS',
};

/**
 * Reads the certificate files that the settings name. NODE_EXTRA_CA_CERTS adds to whatever roots are in force. A file
 * that cannot be read, or holds no certificate, is WB_CONFIG_INVALID naming the variable.
 */
export function readTlsSettings(
  settings: ConnectionSettings,
  profile: NetworkProfile,
): TlsSettings {
  const caVariable = CA_VARIABLES[profile].find((name) => isSet(settings[name]));
  const roots = caVariable === undefined ? undefined : readAuthorities(settings, caVariable);
  const extra = isSet(settings['NODE_EXTRA_CA_CERTS'])
    ? readAuthorities(settings, 'NODE_EXTRA_CA_CERTS')
    : undefined;
  const clientVariable = 'MLFLOW_TRACKING_CLIENT_CERT_PATH';
  const client =
    profile === 'mlflow' && isSet(settings[clientVariable])
      ? readText(settings[clientVariable] ?? '', clientVariable)
      : undefined;
  const insecureVariable = INSECURE_VARIABLES[profile];
  const isInsecure =
    insecureVariable !== undefined && /^(true|1)$/i.test(settings[insecureVariable] ?? '');
  const needsContext = roots !== undefined || extra !== undefined || client !== undefined;
  return {
    ...(needsContext ? { secureContext: makeContext(roots, extra, client, clientVariable) } : {}),
    ...(isInsecure ? { rejectUnauthorized: false as const } : {}),
  };
}

function makeContext(
  roots: string[] | undefined,
  extra: string[] | undefined,
  client: string | undefined,
  clientVariable: string,
): SecureContext {
  // One context for all connections: parsing 150 roots for each would cost milliseconds every time.
  const ca = [...(roots ?? rootCertificates), ...(extra ?? [])];
  try {
    return createSecureContext({
      ...(roots === undefined && extra === undefined ? {} : { ca }),
      ...(client === undefined ? {} : { cert: client, key: client }),
    });
  } catch (cause) {
    const name = client === undefined ? 'a CA file' : `a CA file or ${clientVariable}`;
    throw new WaybillError(
      'WB_CONFIG_INVALID',
      `${name} does not hold what TLS needs (PEM certificates; for a client also its key)`,
      { operation: 'open', cause },
    );
  }
}

function readAuthorities(settings: ConnectionSettings, variable: string): string[] {
  const place = settings[variable] ?? '';
  let found: string[];
  try {
    found = statSync(place).isDirectory()
      ? readdirSync(place).map((name) => readText(join(place, name), variable))
      : [readText(place, variable)];
  } catch (cause) {
    if (cause instanceof WaybillError) throw cause;
    throw unreadable(variable, place, cause);
  }
  const certificates = found.filter((text) => text.includes('-----BEGIN'));
  if (certificates.length > 0) return certificates;
  throw new WaybillError(
    'WB_CONFIG_INVALID',
    `${variable} names ${place}, which holds no PEM certificate`,
    { operation: 'open' },
  );
}

function readText(place: string, variable: string): string {
  try {
    return readFileSync(place, 'utf8');
  } catch (cause) {
    throw unreadable(variable, place, cause);
  }
}

function unreadable(variable: string, place: string, cause: unknown): WaybillError {
  return new WaybillError(
    'WB_CONFIG_INVALID',
    `${variable} names ${place}, which cannot be read: correct it or unset it`,
    { operation: 'open', cause },
  );
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '';
}
