/** Access tokens by google-auth-library: what is in a credentials file, or the platform's own; loaded when a token is needed. */
import {
  Compute,
  ExternalAccountAuthorizedUserClient,
  ExternalAccountClient,
  gcpMetadata,
  Impersonated,
  JWT,
  UserRefreshClient,
} from 'google-auth-library';
import type { AuthClient, JWTInput } from 'google-auth-library';
import * as z from 'zod';
import { WaybillError } from '../../model/errors.js';
import { asError } from '../lib/as-error.js';
import { dropWarning } from '../lib/drop-warning.js';
import type { HttpClient } from '../lib/http-client.js';
import { hideSecrets } from '../lib/secret-mask.js';
import { isPrivate } from './config.js';
import { GOOGLE_TOKEN_URL, GoogleRequests } from './google-requests.js';

/** Enough for everything that a reader asks for. */
const SCOPES = ['https://www.googleapis.com/auth/devstorage.read_only'];

/** Gives the headers of a request; asks for a new token when the old one is about to end. */
export interface TokenGiver {
  headers(): Promise<{ readonly headers: Record<string, string>; readonly endsAtMs: number }>;
}

/** Where a login comes from, for its errors. */
export interface LoginOrigin {
  readonly http: HttpClient;
  readonly who: string;
  readonly remedy: string;
}

const Login = z.looseObject({
  type: z.enum([
    'service_account',
    'authorized_user',
    'external_account',
    'external_account_authorized_user',
    'impersonated_service_account',
  ]),
  token_uri: z.string().optional(),
});
type Login = z.infer<typeof Login>;

const Impersonation = z.looseObject({
  source_credentials: Login,
  service_account_impersonation_url: z.string(),
  delegates: z.array(z.string()).optional(),
});

/** The login in a credentials file. One that is none, or of a kind that is not known, is WB_UNAUTHENTICATED. */
export async function openLogin(text: string, origin: LoginOrigin): Promise<TokenGiver> {
  const login = parseLogin(text, origin);
  const requests = new GoogleRequests(origin.http, tokenUriOf(login, origin));
  const secrets = secretsOf(login);
  const fail = (cause: unknown): WaybillError => {
    const unanswered = requests.takeFailure();
    if (unanswered !== undefined) return unanswered;
    return refused(origin, `gives no token (${saidIn(cause, secrets)})`);
  };
  let client: AuthClient;
  try {
    client = clientOf(login, requests);
  } catch (cause) {
    throw fail(cause);
  }
  await Promise.resolve();
  return { headers: () => headersOf(client, fail) };
}

/** The login of the machine that this runs on, by the metadata server of Google; undefined: there is none. */
export async function openPlatform(): Promise<TokenGiver | undefined> {
  dropWarning(/^received unexpected error = /);
  if (!(await gcpMetadata.isAvailable())) return undefined;
  const client = new Compute();
  const fail = (cause: unknown): WaybillError =>
    new WaybillError(
      'WB_UNAUTHENTICATED',
      `the service account of this machine gives no token (${saidIn(cause, {})})`,
      { operation: 'sign', store: 'gcs', scope: 'source' },
    );
  return { headers: () => headersOf(client, fail) };
}

const Refused = z.object({
  response: z.object({ data: z.object({ error_description: z.string() }) }),
});

/** What a token service said, without the secrets that it may repeat. */
function saidIn(cause: unknown, secrets: Record<string, string>): string {
  const { message } = asError(cause);
  const why = Refused.safeParse(cause).data?.response.data.error_description ?? '';
  const whole = message.includes(why) ? message : `${message}: ${why}`;
  return hideSecrets(whole.replace(/[\s.]+$/, ''), secrets).slice(0, 300);
}

async function headersOf(
  client: AuthClient,
  fail: (cause: unknown) => WaybillError,
): ReturnType<TokenGiver['headers']> {
  try {
    const headers = Object.fromEntries(await client.getRequestHeaders());
    return { headers, endsAtMs: client.credentials.expiry_date ?? 0 };
  } catch (cause) {
    throw fail(cause);
  }
}

function clientOf(login: Login, requests: GoogleRequests): AuthClient {
  const options = { transporterOptions: { adapter: requests.adapter } };
  switch (login.type) {
    case 'service_account': {
      const claims =
        requests.tokenUri === undefined ? {} : { additionalClaims: { aud: requests.tokenUri } };
      const client = new JWT({ ...options, ...claims, scopes: SCOPES });
      client.fromJSON(login as JWTInput);
      return client;
    }
    case 'authorized_user': {
      const client = new UserRefreshClient(options);
      client.fromJSON(login as JWTInput);
      return client;
    }
    case 'external_account': {
      const client = ExternalAccountClient.fromJSON({
        ...(login as unknown as Parameters<typeof ExternalAccountClient.fromJSON>[0]),
        ...options,
      });
      if (client === null) throw new Error('it names no kind of external account that is known');
      client.scopes = SCOPES;
      return client;
    }
    case 'external_account_authorized_user':
      return new ExternalAccountAuthorizedUserClient({
        ...(login as unknown as ConstructorParameters<
          typeof ExternalAccountAuthorizedUserClient
        >[0]),
        ...options,
      });
    case 'impersonated_service_account':
      return impersonated(login, requests, options);
  }
}

function impersonated(
  login: Login,
  requests: GoogleRequests,
  options: { readonly transporterOptions: { readonly adapter: GoogleRequests['adapter'] } },
): AuthClient {
  const {
    source_credentials: source,
    service_account_impersonation_url: url,
    delegates = [],
  } = Impersonation.parse(login);
  const target = /([^/]+):generateAccessToken$/.exec(url)?.[1];
  if (target === undefined) throw new Error('its service_account_impersonation_url names nobody');
  const sourceClient = clientOf(source, requests);
  return new Impersonated({
    ...options,
    sourceClient,
    targetPrincipal: target,
    targetScopes: SCOPES,
    delegates,
  });
}

function parseLogin(text: string, origin: LoginOrigin): Login {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // The parser's message would show the beginning of the text.
    throw refused(origin, 'is no JSON');
  }
  const login = Login.safeParse(json);
  if (login.success) return login.data;
  throw refused(origin, 'is no credentials file of Google: its "type" is none that is known');
}

/** The library asks Google whatever the file says. */
function tokenUriOf(login: Login, origin: LoginOrigin): string | undefined {
  const { token_uri: uri } = login;
  if (login.type !== 'service_account' || uri === undefined || uri === GOOGLE_TOKEN_URL) {
    return undefined;
  }
  if (URL.canParse(uri) && isPrivate(new URL(uri))) return uri;
  throw refused(origin, 'names a token_uri that is no https address');
}

function refused({ who, remedy }: LoginOrigin, what: string): WaybillError {
  return new WaybillError('WB_UNAUTHENTICATED', `${who} ${what}: ${remedy}`, {
    operation: 'sign',
    store: 'gcs',
    scope: 'source',
  });
}

/** Every text of a login that may be one, wherever it stands. */
function secretsOf(login: unknown, name = 'login'): Record<string, string> {
  if (typeof login === 'string') return { [name]: login };
  if (typeof login !== 'object' || login === null) return {};
  const parts = Object.entries(login).filter(([key]) => !PUBLIC.has(key));
  return Object.assign(
    {},
    ...parts.map(([key, value]) => secretsOf(value, `${name}.${key}`)),
  ) as Record<string, string>;
}

/** What messages may name. */
const PUBLIC: ReadonlySet<string> = new Set([
  'type',
  'project_id',
  'quota_project_id',
  'client_email',
  'token_uri',
  'token_url',
  'auth_uri',
  'universe_domain',
  'audience',
  'subject_token_type',
  'service_account_impersonation_url',
]);
