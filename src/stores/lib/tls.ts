/** Certificates of a connection, from the variables that curl, requests, the AWS tools, Node and MLflow read. */
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  createSecureContext,
  rootCertificates,
  type SecureContext,
  type SecureContextOptions,
} from 'node:tls';
import { WaybillError } from '../../model/errors.js';
import type { ConnectionSecrets, ConnectionSettings } from '../store.js';
import { readIdentity, type Identity } from './client-identity.js';
import { invalid, isSet, readText, unreadable } from './pem-files.js';

/** Whose variables count: a CA meant for the tracking server says nothing about the bucket behind it. */
export type NetworkProfile = 'http' | 's3' | 'mlflow' | 'mlrun';

/** What a TLS connection gets; `secureContext` and `rejectUnauthorized` absent: Node's defaults. */
export interface TlsSettings {
  /** Made when it is first read, which takes a tenth of a second for 150 roots; throws WB_CONFIG_INVALID. */
  readonly secureContext?: SecureContext;
  readonly rejectUnauthorized?: false;
}

/** The same connection with a client certificate and without. */
export interface TlsPair {
  readonly withIdentity: TlsSettings;
  readonly withoutIdentity: TlsSettings;
}

/** All that the settings say of TLS. */
export interface TlsReading extends TlsPair {
  /** The same by no newer version than TLS 1.2. */
  readonly byTls12: TlsPair;
  /** A client certificate is configured. */
  readonly hasIdentity: boolean;
  /** For the message about a certificate that nobody vouches for: what to set, or what is set already. */
  readonly trust: string;
}

/** The first that is set replaces the built-in roots, as it does in the tool that reads it. */
const CA_VARIABLES: Readonly<Record<NetworkProfile, readonly string[]>> = {
  http: [],
  s3: ['AWS_CA_BUNDLE'],
  mlflow: ['MLFLOW_TRACKING_SERVER_CERT_PATH'],
  mlrun: [],
};
const CA_VARIABLES_OF_ALL = [
  'REQUESTS_CA_BUNDLE',
  'CURL_CA_BUNDLE',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
];

/** What switches the check of certificates off, for the service that the variable is about. */
const INSECURE_VARIABLES: Readonly<Partial<Record<NetworkProfile, readonly [string, RegExp]>>> = {
  mlflow: ['MLFLOW_TRACKING_INSECURE_TLS', /^(true|1)$/i],
  s3: ['MLFLOW_S3_IGNORE_TLS', /^(true|1)$/i],
  mlrun: ['MLRUN_HTTPDB__HTTP__VERIFY', /^(false|0)$/i],
};

/**
 * Reads the certificate files that the settings name. NODE_EXTRA_CA_CERTS adds to whatever roots are in force. A file
 * that cannot be read, or holds no certificate, is WB_CONFIG_INVALID naming the variable.
 */
export function readTlsSettings(
  settings: ConnectionSettings,
  secrets: ConnectionSecrets,
  profile: NetworkProfile,
): TlsReading {
  const variables = ['WAYBILL_CA_FILE', ...CA_VARIABLES[profile], ...CA_VARIABLES_OF_ALL];
  const variable = variables.find((name) => isSet(settings[name]));
  const roots = variable === undefined ? undefined : readAuthorities(settings, variable);
  const extra = isSet(settings['NODE_EXTRA_CA_CERTS'])
    ? readAuthorities(settings, 'NODE_EXTRA_CA_CERTS')
    : undefined;
  const identity = readIdentity(settings, secrets, profile);
  const [insecure = '', isOff] = INSECURE_VARIABLES[profile] ?? [];
  const isInsecure = isOff?.test(settings[insecure] ?? '') === true;
  const settingsWith = (own: Identity | undefined, most?: 'TLSv1.2'): TlsSettings => {
    const checked = isInsecure ? { rejectUnauthorized: false as const } : {};
    const isUsual = roots === undefined && extra === undefined && own === undefined;
    if (isUsual && most === undefined) return checked;
    let made: SecureContext | undefined;
    return {
      ...checked,
      get secureContext() {
        made ??= makeContext(roots, extra, { ...own, ...(most && { maxVersion: most }) });
        return made;
      },
    };
  };
  const pairOf = (most?: 'TLSv1.2'): TlsPair => {
    const withoutIdentity = settingsWith(undefined, most);
    const isNobody = identity === undefined;
    return {
      withoutIdentity,
      withIdentity: isNobody ? withoutIdentity : settingsWith(identity, most),
    };
  };
  return {
    ...pairOf(),
    byTls12: pairOf('TLSv1.2'),
    hasIdentity: identity !== undefined,
    trust: trustOf(settings, variable, CA_VARIABLES[profile][0] ?? 'SSL_CERT_FILE'),
  };
}

/** Where Linux distributions and macOS keep the authorities that the system trusts. */
const SYSTEM_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

function trustOf(
  settings: ConnectionSettings,
  variable: string | undefined,
  usual: string,
): string {
  if (variable !== undefined) {
    return `${variable} is ${settings[variable] ?? ''}, which does not hold the authority that signed it: add it there`;
  }
  const system = SYSTEM_BUNDLES.find((path) => existsSync(path));
  const also = system === undefined ? '' : `, or to ${system} if this system trusts it`;
  return `set ${usual} to the PEM file of the authority that signed it${also}`;
}

function makeContext(
  roots: string[] | undefined,
  extra: string[] | undefined,
  more: SecureContextOptions,
): SecureContext {
  // One context for all connections: parsing 150 roots for each would cost milliseconds every time.
  const ca = [...(roots ?? rootCertificates), ...(extra ?? [])];
  try {
    return createSecureContext({
      ...(roots === undefined && extra === undefined ? {} : { ca }),
      ...more,
    });
  } catch (cause) {
    throw invalid('a CA file does not hold what TLS needs: PEM certificates', cause);
  }
}

function readAuthorities(settings: ConnectionSettings, variable: string): string[] {
  const place = settings[variable] ?? '';
  const certificates = readPlace(place, variable).filter((text) => text.includes('-----BEGIN'));
  if (certificates.length > 0) return certificates;
  throw invalid(`${variable} names ${place}, which holds no PEM certificate`);
}

function readPlace(place: string, variable: string): string[] {
  let names: string[];
  try {
    if (!statSync(place).isDirectory()) return [readText(place, variable)];
    names = readdirSync(place);
  } catch (cause) {
    if (cause instanceof WaybillError) throw cause;
    throw unreadable(variable, place, cause);
  }
  // A system's folder holds other things too: folders, dangling links, files for root alone.
  return names.flatMap((name) => {
    try {
      return [readFileSync(join(place, name), 'utf8')];
    } catch {
      return [];
    }
  });
}
