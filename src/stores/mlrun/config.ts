/** Which MLRun server, and who asks: settings and secrets of an address, read and checked. */
import { redactUri } from '../../model/artifact-uri.js';
import { WaybillError } from '../../model/errors.js';
import { SECRETS_BEHIND } from '../lib/secret-variables.js';
import { SETTINGS_BEHIND } from '../lib/setting-variables.js';
import type { ConnectionSecrets, ConnectionSettings, StoreAddress } from '../store.js';

/** MLRun's own variables, those of the storage behind it, and ours. */
export const SETTING_NAMES = [
  'MLRUN_DBPATH',
  'MLRUN_DEFAULT_PROJECT',
  'MLRUN_ACTIVE_PROJECT',
  'MLRUN_ENV_FILE',
  'MLRUN_HTTPDB__HTTP__VERIFY',
  'V3IO_API',
  'WAYBILL_MLRUN_TRANSPORT',
  'ALLOW_LOCAL_ROOTS',
  'WAYBILL_PATH_MAP',
  'S3_ENDPOINT_URL',
  ...SETTINGS_BEHIND,
];

/** Secrets of the same. */
export const SECRET_NAMES = [
  'MLRUN_HTTPDB__USER',
  'MLRUN_HTTPDB__PASSWORD',
  'MLRUN_HTTPDB__TOKEN',
  'V3IO_USERNAME',
  'V3IO_ACCESS_KEY',
  ...SECRETS_BEHIND,
] as const;

/** A server and the right to ask it. */
export interface MlrunConfig {
  /** Scheme, host and path, no slash at the end. */
  readonly server: string;
  /** Headers that show who asks; they go to the server and nowhere else. */
  readonly signIn: Readonly<Record<string, string>>;
  /** The variables that they come from, for messages; empty: none is set. */
  readonly signInFrom: string;
  readonly defaultProject: string;
  /** Local folders in which files may be read from disk (rule 4); empty: none. */
  readonly allowLocalRoots: readonly string[];
  readonly settings: ConnectionSettings;
  readonly secrets: ConnectionSecrets;
}

function invalid(message: string): WaybillError {
  return new WaybillError('WB_CONFIG_INVALID', message, { operation: 'open', store: 'mlrun' });
}

/** Checks the address of a server and takes the slash at its end off. */
function serverUri(value: string): string {
  const shown = redactUri(value);
  if (!/^https?:\/\//i.test(value) || !URL.canParse(value)) {
    throw invalid(
      `MLRUN_DBPATH is ${shown}: Waybill reads MLRun through its API server, http(s)://host:8080`,
    );
  }
  const url = new URL(value);
  if (url.username !== '' || url.password !== '') {
    throw invalid(
      'MLRUN_DBPATH holds a password: take it out and set MLRUN_HTTPDB__USER and MLRUN_HTTPDB__PASSWORD, or MLRUN_HTTPDB__TOKEN',
    );
  }
  return url.origin + url.pathname.replace(/\/+$/, '');
}

/** The access keys of Iguazio look like this, and go as the cookie of a session. */
const ACCESS_KEY = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** MLRun's own order: a name and password, then a token, then the access key of the platform. */
function signInOf(secrets: ConnectionSecrets): Pick<MlrunConfig, 'signIn' | 'signInFrom'> {
  const user = secrets['MLRUN_HTTPDB__USER'];
  if (user) {
    const pair = `${user}:${secrets['MLRUN_HTTPDB__PASSWORD'] ?? ''}`;
    const authorization = `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`;
    return { signIn: { authorization }, signInFrom: 'MLRUN_HTTPDB__USER' };
  }
  const names = ['MLRUN_HTTPDB__TOKEN', 'V3IO_ACCESS_KEY'];
  const signInFrom = names.find((name) => secrets[name]);
  if (signInFrom === undefined) return { signIn: {}, signInFrom: '' };
  const token = (secrets[signInFrom] ?? '').trim();
  if (!ACCESS_KEY.test(token)) return { signIn: { authorization: `Bearer ${token}` }, signInFrom };
  const cookie = `session=${encodeURIComponent(`j:{"sid": "${token}"}`)}`;
  return { signIn: { cookie }, signInFrom };
}

/** Reads an address. No server set is WB_USAGE, one that is none WB_CONFIG_INVALID. */
export function readConfig({ settings, secrets }: StoreAddress): MlrunConfig {
  const server = settings['MLRUN_DBPATH'];
  if (server === undefined || server === '') {
    throw new WaybillError(
      'WB_USAGE',
      'no MLRun is named: set MLRUN_DBPATH to the address of its API (http://host:8080), or write it to ~/.mlrun.env ' +
        'as `mlrun config set -a` does',
      { operation: 'open', store: 'mlrun' },
    );
  }
  return {
    server: serverUri(server),
    ...signInOf(secrets),
    defaultProject:
      settings['MLRUN_ACTIVE_PROJECT'] || settings['MLRUN_DEFAULT_PROJECT'] || 'default',
    allowLocalRoots: (settings['ALLOW_LOCAL_ROOTS'] ?? '').split(':').filter((root) => root !== ''),
    settings,
    secrets,
  };
}
