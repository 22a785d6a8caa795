/** Who asks: somebody with a delegation token, with a password, with a name, or nobody. */
import { HDFS_PASSWORD, HDFS_TOKENS } from '../lib/secret-variables.js';
import type { StoreAddress } from '../store.js';
import type { NameService } from './name-service.js';
import { userName } from './site.js';
import { readTokenFile, tokenFor } from './tokens.js';
import { invalid } from './invalid.js';

/** Who asks, and what says so. */
export interface HdfsIdentity {
  /** `user`: a name that is believed, or none, unless the name node wants a proof by Kerberos. `nobody` has none to show. */
  readonly kind: 'token' | 'password' | 'user' | 'nobody';
  /** For messages: `alice (HADOOP_USER_NAME)`. */
  readonly who: string;
  /** What to set where this one is refused. */
  readonly remedy: string;
  /** Parameters of every request to a name node. */
  readonly query: Readonly<Record<string, string>>;
  /** Headers of the same. */
  readonly headers: Readonly<Record<string, string>>;
  /** What no message may hold. */
  readonly secrets: Readonly<Record<string, string>>;
}

/** What is wrong where nobody is known by name. */
const SIGN_IN =
  'set HADOOP_USER_NAME, HADOOP_TOKEN_FILE_LOCATION, or HADOOP_USER_NAME and WAYBILL_HDFS_PASSWORD';

/** Finds who asks these file systems. Reads the file of tokens where one is named; a wrong setting is WB_CONFIG_INVALID. */
export async function readIdentity(
  { settings, secrets }: StoreAddress,
  services: readonly NameService[],
): Promise<HdfsIdentity> {
  const named = settings['WAYBILL_HDFS_IDENTITY'] ?? 'own';
  if (named !== 'own' && named !== 'none') {
    throw invalid(`WAYBILL_HDFS_IDENTITY must be own or none, not ${named}`);
  }
  if (named === 'none') return nobody();
  const variable = HDFS_TOKENS.find((name) => (secrets[name]?.trim() ?? '') !== '');
  if (variable !== undefined) return withToken(secrets[variable]?.trim() ?? '', variable);
  const file = settings['HADOOP_TOKEN_FILE_LOCATION']?.trim() ?? '';
  if (file !== '') {
    const token = await tokenFor(await readTokenFile(file), services, file);
    return withToken(token, `HADOOP_TOKEN_FILE_LOCATION=${file}`);
  }
  const [user, source] = userOf(settings, secrets);
  const typed = secrets['password'];
  const password = typed ?? secrets[HDFS_PASSWORD];
  if (password !== undefined && password !== '') {
    const by = typed === undefined ? HDFS_PASSWORD : 'the address';
    return withPassword(user, decoded(password, typed), by, services);
  }
  // A process without a name, as in some containers, may have a ticket.
  if (user === undefined) return { ...nobody(), kind: 'user' };
  return {
    kind: 'user',
    who: `${user} (${source})`,
    remedy: SIGN_IN,
    query: { 'user.name': user },
    headers: {},
    secrets: {},
  };
}

function userOf(
  settings: StoreAddress['settings'],
  secrets: StoreAddress['secrets'],
): readonly [user: string | undefined, source: string] {
  const typed = secrets['username'];
  if (typed !== undefined && typed !== '') return [decoded(typed, typed), 'the address'];
  for (const name of ['HADOOP_USER_NAME', 'MLFLOW_KERBEROS_USER']) {
    const value = settings[name]?.trim() ?? '';
    if (value !== '') return [value, name];
  }
  return [userName(), 'the user of this process; HADOOP_USER_NAME is not set'];
}

function nobody(): HdfsIdentity {
  return {
    kind: 'nobody',
    who: 'nobody',
    remedy: SIGN_IN,
    query: {},
    headers: {},
    secrets: {},
  };
}

function withToken(token: string, variable: string): HdfsIdentity {
  if (!/^[A-Za-z0-9_+/-]{8,}={0,2}$/.test(token)) {
    throw invalid(
      `${variable} is no delegation token: it is the urlString that op=GETDELEGATIONTOKEN answers`,
    );
  }
  return {
    kind: 'token',
    who: `the delegation token of ${variable}`,
    remedy: `get a new one (hdfs fetchdt, or op=GETDELEGATIONTOKEN) for ${variable}, or unset it`,
    query: { delegation: token },
    headers: {},
    secrets: { token },
  };
}

function withPassword(
  user: string | undefined,
  password: string,
  variable: string,
  services: readonly NameService[],
): HdfsIdentity {
  if (user === undefined || user === '') {
    throw invalid(`${variable} is a password, and nobody says whose: set HADOOP_USER_NAME`);
  }
  const open = services.flatMap(({ endpoints }) => endpoints).find((one) => !isPrivate(one));
  if (open !== undefined) {
    throw invalid(
      `${variable} would go to ${open}, where it could be read on its way: ` +
        'name the gateway by WAYBILL_HDFS_URL=https://..., or use swebhdfs://',
    );
  }
  const basic = Buffer.from(`${user}:${password}`, 'utf8').toString('base64');
  return {
    kind: 'password',
    who: `${user} with the password of ${variable}`,
    remedy: `correct HADOOP_USER_NAME and ${variable}`,
    query: {},
    headers: { authorization: `Basic ${basic}` },
    secrets: { password, basic },
  };
}

/** In an address `@` and `:` are written with escapes. */
function decoded(text: string, typed: string | undefined): string {
  if (typed === undefined) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function isPrivate(endpoint: string): boolean {
  const { protocol, hostname } = new URL(endpoint);
  return protocol === 'https:' || /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
}
