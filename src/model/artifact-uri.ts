/** Source URIs: their scheme, and their form without secrets. Nothing here is decoded. */
import { WaybillError } from './errors.js';

const SCHEME = /^([a-zA-Z][a-zA-Z0-9+.-]*):/;

/** Query parameters that carry a secret or a signature (S3, GCS, Azure SAS, Hadoop, common tokens), in lower case. */
const SECRET_PARAMETER =
  /^(x-amz-.*|x-goog-.*|awsaccesskeyid|signature|sig|se|sp|sv|sr|st|skoid|sktid|skt|ske|sks|skv|token|access_token|api_key|apikey|key|password|secret|auth|policy|delegation|key-pair-id)$/i;

/** What else a shared access signature of Azure signs: no secret, but without the signature of no meaning. */
const SIGNED_PARAMETER = /^(ss|srt|spr|sip|si|sdd|ses|saoid|suoid|scid|rsc[cdelt])=/i;

/** The scheme in lower case; a path without scheme is `file`. An empty source is WB_USAGE. */
export function schemeOf(uri: string): string {
  if (uri === '') throw new WaybillError('WB_USAGE', 'the source is empty');
  const found = SCHEME.exec(uri)?.[1];
  return found === undefined ? 'file' : found.toLowerCase();
}

/** Whether a string names a place by scheme rather than by path. */
export function hasScheme(text: string): boolean {
  return SCHEME.test(text);
}

/** Whether a query parameter of this name carries a secret or belongs to a signature. */
export function isSecretParameter(name: string): boolean {
  return SECRET_PARAMETER.test(name);
}

/** A URI split into what may be kept and what may not. */
export interface SplitUri {
  /** Without userinfo and without query parameters that carry secrets. */
  readonly uri: string;
  /** `username`, `password`, and the whole secret query string as `query`; empty if there was none. */
  readonly secrets: Readonly<Record<string, string>>;
}

/** Splits userinfo, SAS and presigned parameters off (rule 3). Text that is no hierarchical URI stays as it is. */
export function splitSecrets(uri: string): SplitUri {
  const match = /^([a-zA-Z][a-zA-Z0-9+.-]*:\/\/)([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/.exec(uri);
  if (!match) return { uri, secrets: {} };
  const [, scheme = '', authority = '', path = '', query = '', fragment = ''] = match;
  const secrets: Record<string, string> = {};
  const at = authority.lastIndexOf('@');
  let host = authority;
  // In Azure's addresses the part before @ is the container, not a user.
  if (at >= 0 && !/^(abfss?|wasbs?|az):/i.test(scheme)) {
    host = authority.slice(at + 1);
    const [user = '', ...rest] = authority.slice(0, at).split(':');
    // In sftp:// the user is a part of the place, as in a home folder, and no secret.
    if (/^sftp:/i.test(scheme)) host = user === '' ? host : `${user}@${host}`;
    else if (user !== '') secrets['username'] = user;
    if (rest.length > 0) secrets['password'] = rest.join(':');
  }
  const parameters = query === '' ? [] : query.slice(1).split('&');
  const isSecret = (parameter: string): boolean =>
    isSecretParameter(parameter.split('=', 1)[0] ?? '');
  let kept = query;
  if (parameters.some(isSecret)) {
    secrets['query'] = query.slice(1);
    const isSigned = parameters.some((parameter) => /^sig=/i.test(parameter));
    const left = parameters.filter(
      (parameter) => !isSecret(parameter) && !(isSigned && SIGNED_PARAMETER.test(parameter)),
    );
    kept = left.length === 0 ? '' : `?${left.join('&')}`;
  }
  return { uri: scheme + host + path + kept + fragment, secrets };
}

/** A URI fit to be shown: without anything that `splitSecrets` takes off. */
export function redactUri(uri: string): string {
  return splitSecrets(uri).uri;
}

/**
 * Whether a prefix covers a URI: the same place, or one below it at a `/`. The dots of an http address are resolved first, as
 * the request for it would; another URI with a segment `..`, however it is written, is covered by nothing: its server resolves it. `s3a:` and `s3n:` are `s3:`, and `gcs:` is `gs:`.
 */
export function coversUri(prefix: string, uri: string): boolean {
  const covering = comparable(prefix).replace(/\/+$/, '');
  const covered = comparable(uri);
  if (hasDotSegment(covered)) return false;
  // An alias of a model belongs to it: models:/churn@champion.
  const ends = /^models:/i.test(covering) ? ['/', '@'] : ['/'];
  return covered === covering || ends.some((end) => covered.startsWith(covering + end));
}

function hasDotSegment(text: string): boolean {
  const readable = text.replace(/%2e/gi, '.').replace(/%2f/gi, '/');
  return readable.split('/').some((segment) => segment === '.' || segment === '..');
}

function comparable(uri: string): string {
  const plain = uri
    .replace(/^s3[an]?:/i, 's3:')
    .replace(/^gcs:/i, 'gs:')
    .replace(/[?#].*$/s, '');
  if (!/^https?:/i.test(plain) || !URL.canParse(plain)) return plain;
  const { origin, pathname } = new URL(plain);
  return origin + pathname;
}
