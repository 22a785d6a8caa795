/** Takes out of a text what looks like a secret, whatever its value: the last net of rule 3. */
import { isSecretParameter, redactUri } from './artifact-uri.js';

const HIDDEN = '***';

/** Our own advice has an address with the words `user:password`. */
const ADDRESS = /[a-z][a-z0-9+.-]{0,30}:\/\/(?!user:password@)[^\s"'<>]+/gi;

/** Names like `key` and `sig` mean a secret in a query only. */
const PARAMETER = /([?&]|&amp;|\\u0026)([\w-]+)=[^\s"'&<>\\]+/g;

/** A word, and the rest of a line. Neither takes the `\` of an escaped quote or line end along: JSON stays JSON. */
const WORD = String.raw`(?:[^\s"'<>\\]|\\[^"nrt])+`;
const REST_OF_LINE = String.raw`(?:[^"'<>\r\n\\]|\\[^"nr])*`;

/** Names that mean a secret wherever they stand: `Signature=...`, `"token": "..."`. */
const FIELD_NAME =
  '(?:(?:access|session|security|id|refresh)[-_]?)?token|signature|credential|passw(?:or)?d|secret|api[-_]?key|x-(?:amz|goog)-[a-z-]+';
const FIELD = new RegExp(
  String.raw`(?<![a-z0-9])(${FIELD_NAME})(=\\?["']?|\\?["']\s*:\s*\\?["'])(?!\*\*\*)[^\s"'&;<>,\\]+`,
  'gi',
);

const HEADER_NAME =
  '(?:proxy-)?authorization|x-amz-security-token|(?:set-)?cookie|x-api-key|x-auth-token|private-token';
const HEADER_START = String.raw`(?<![a-z0-9])(${HEADER_NAME})(\\?["']?\s*[:=][\s"'[(\\]*)`;
const SCHEME_NAME = 'bearer|basic|token|negotiate';

/** A header with a scheme that is known: the rest of the line may say why it was refused. */
const SCHEMED_HEADER = new RegExp(
  String.raw`${HEADER_START}(${SCHEME_NAME})(?:\s|%20)+${WORD}`,
  'gi',
);

/** Any other header, to the end of its line or string. */
const HEADER = new RegExp(
  String.raw`${HEADER_START}(?!\*\*\*|(?:${SCHEME_NAME}) \*\*\*)[^\s"'<>\\[(]${REST_OF_LINE}`,
  'gi',
);

/** A scheme and its value. A plain word behind it is none: `Basic authentication`, `Bearer realm="x"`. */
const SCHEME =
  /\b([Bb]earer|BEARER|[Bb]asic|BASIC|[Nn]egotiate)(\s+|%20)(?!realm=|[A-Z]?[a-z]+(?![\w.~+/=-]))[\w.~+/=%-]{4,}/g;

/** The text without userinfo and signatures of addresses, credential headers, and values that a name calls secret. */
export function hideSecretLooking(text: string): string {
  return text
    .replace(ADDRESS, (uri) => redactUri(uri))
    .replace(PARAMETER, (all, before: string, name: string) =>
      isSecretParameter(name) ? `${before}${name}=${HIDDEN}` : all,
    )
    .replace(SCHEMED_HEADER, `$1$2$3 ${HIDDEN}`)
    .replace(HEADER, `$1$2${HIDDEN}`)
    .replace(SCHEME, `$1$2${HIDDEN}`)
    .replace(FIELD, `$1$2${HIDDEN}`);
}
