/** Takes what was sent out of what came back: servers repeat requests in their errors (rule 3). */
import { isSecretParameter, splitSecrets } from '../../model/artifact-uri.js';
import { hideSecretLooking } from '../../model/secret-text.js';
import type { ConnectionSecrets } from '../store.js';
import { percentDecodeOnce } from './byte-names.js';
import type { Headers } from './exchange.js';

/** One request of a chain of redirects. */
export interface SentRequest {
  readonly url: URL;
  readonly headers: Headers;
}

const HIDDEN = '***';

/** Shorter ones are hidden where they stand alone: inside of words they would blot out innocent text. */
const MIN_ANYWHERE = 4;

/** A long token is looked for in pieces: a pattern of its whole length would be too large to compile. */
const PIECE = /.{1,200}(?:.{1,7}$)?/gsu;

/** So much of a secret's beginning at the very end of a text is taken for the secret, cut. */
const MIN_CUT = 6;

/** Names of headers that hold a credential, whatever the store. */
const CREDENTIAL_NAME = /auth|token|cookie|key|secret|password|signature|credential/i;

/** Parameters of a signed address that say how it is signed, and until when. */
const PUBLIC_PARAMETER =
  /^(x-(amz|goog)-(algorithm|date|expires|signedheaders|content-sha256)|s[epvrt]|sk[etsv]|sk[ot]id)$/i;

/**
 * The text with every secret of an address and of what was sent for it replaced by `***`: as it is, percent-encoded, escaped
 * as JSON or HTML do, in Base64 alone and with its user; and whatever looks like a credential (`hideSecretLooking`).
 * @param sent every request that led to the answer, in order; the first address is the caller's, the others a server's
 */
export function hideSecrets(
  text: string,
  secrets: ConnectionSecrets,
  sent: readonly SentRequest[] = [],
): string {
  const values = new Set([...valuesOf(secrets), ...sent.flatMap(valuesSent)]);
  const whole = formsOf([...values].filter(({ length }) => length >= MIN_ANYWHERE));
  let hidden = text;
  for (const { form, isBase64 } of whole) {
    hidden = hidden.replace(patternOf(form, isBase64), HIDDEN);
  }
  for (const short of values) {
    if (short.length < MIN_ANYWHERE) hidden = hidden.replace(aloneOf(short), HIDDEN);
  }
  return hideSecretLooking(withoutCutSecret(hidden.replace(/(?:\*{3}){2,}/g, HIDDEN), whole));
}

function valuesOf(secrets: ConnectionSecrets): string[] {
  const values = Object.entries(secrets).flatMap(([name, value]) => {
    if (name === 'query') return valuesOfQuery(value, false);
    // The address of a proxy, with its password.
    const inside = Object.values(splitSecrets(value).secrets);
    // A name is hidden where it may be a token that stands in a name's place.
    const isName = /username$/i.test(name) && value.length < MIN_ANYWHERE;
    return isName ? [] : [value, value.trim(), ...inside];
  });
  const pairs = [
    [secrets['username'], secrets['password']],
    [secrets['MLFLOW_TRACKING_USERNAME'], secrets['MLFLOW_TRACKING_PASSWORD']],
  ].map(
    ([user = '', password = '']) => `${percentDecodeOnce(user)}:${percentDecodeOnce(password)}`,
  );
  const all = [...values, ...values.map(percentDecodeOnce), ...pairs];
  return all.filter((value) => value !== '' && value !== ':');
}

function valuesSent({ url, headers }: SentRequest, hop: number): string[] {
  const credentials = Object.entries(headers).filter(([name]) => CREDENTIAL_NAME.test(name));
  return [
    ...valuesOfQuery(url.search.slice(1), hop > 0),
    ...credentials.flatMap(([, value]) => {
      // The scheme in front is no secret: `Bearer ***` tells what was sent.
      const own = value.replace(/^[\w-]+\s+/, '');
      // `SharedKey account:signature`: Azure repeats the signature alone.
      const signature = /^SharedKey \S+:(\S+)$/.exec(value)?.[1];
      return signature === undefined ? [own] : [own, signature];
    }),
  ].filter((value) => value !== '');
}

/** @param isForeign the parameters are of a redirect: each may be a ticket, whatever its name */
function valuesOfQuery(query: string, isForeign: boolean): string[] {
  const parameters = query.split('&').map((one): [string, string] => {
    const [name = '', ...rest] = one.split('=');
    return [name, rest.join('=')];
  });
  const secret = parameters.filter(
    ([name, value]) =>
      value !== '' &&
      !PUBLIC_PARAMETER.test(name) &&
      (isSecretParameter(name) || (isForeign && value.length >= MIN_CUT)),
  );
  return secret.flatMap(([, value]) => [value, percentDecodeOnce(value)]);
}

interface Form {
  readonly form: string;
  readonly isBase64: boolean;
}

/** The longest first: a secret may be part of another. */
function formsOf(values: readonly string[]): Form[] {
  const plain = values.map((form) => ({ form, isBase64: false }));
  const encoded = values.map((value) => {
    const form = Buffer.from(value, 'utf8').toString('base64').replace(/=+$/, '');
    return { form, isBase64: true };
  });
  const pieces = [...plain, ...encoded].flatMap(({ form, isBase64 }) =>
    (form.match(PIECE) ?? []).map((piece) => ({ form: piece, isBase64 })),
  );
  return pieces.sort((a, b) => b.form.length - a.form.length);
}

function patternOf(form: string, isBase64 = false): RegExp {
  const source = sourceOf(form, isBase64);
  return new RegExp(isBase64 ? `${source}(?:${sourceOf('=')}){0,2}` : source, 'giu');
}

function aloneOf(short: string): RegExp {
  return new RegExp(`(?<![\\p{L}\\p{N}])${sourceOf(short)}(?![\\p{L}\\p{N}])`, 'giu');
}

/** A regular expression for a text in which every sign but letters and digits may be escaped in one of the usual ways. */
function sourceOf(text: string, isBase64 = false): string {
  return Array.from(text, (sign) => {
    if (/[A-Za-z0-9]/.test(sign)) return sign;
    const ways = waysToWrite(sign);
    // The alphabet for addresses.
    if (isBase64 && sign === '+') ways.push('-');
    if (isBase64 && sign === '/') ways.push('_');
    return `(?:${ways.join('|')})`;
  }).join('');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': 'amp',
  '<': 'lt',
  '>': 'gt',
  '"': 'quot',
  "'": 'apos',
};

function waysToWrite(sign: string): string[] {
  const code = sign.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  const bytes = [...Buffer.from(sign, 'utf8')].map((byte) => byte.toString(16).padStart(2, '0'));
  const units = Array.from({ length: sign.length }, (_, at) => sign.charCodeAt(at));
  const entity = ENTITIES[sign];
  return [
    `\\\\?\\u{${hex}}`,
    // Twice where an address stands in an address.
    bytes.map((byte) => `%(?:25)*${byte}`).join(''),
    units.map((unit) => `\\\\u${unit.toString(16).padStart(4, '0')}`).join(''),
    `&#0*${code};`,
    `&#x0*${hex};`,
    ...(entity === undefined ? [] : [`&${entity};`]),
    ...(sign === ' ' ? ['\\+'] : []),
  ];
}

/** A text is read to a limit, and a server cuts too: the beginning of a secret may be its end. */
function withoutCutSecret(text: string, forms: readonly Form[]): string {
  for (const { form } of forms) {
    for (let length = form.length - 1; length >= MIN_CUT; length -= 1) {
      const isCut = text.endsWith(form.slice(0, length));
      if (isCut) return text.slice(0, -length) + HIDDEN;
    }
  }
  return text;
}
