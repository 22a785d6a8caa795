/** The place for whoever can answer `WWW-Authenticate: Negotiate`: SPNEGO, with a ticket of Kerberos. */

/** Makes the `Authorization` of a request to this name node: `Negotiate BASE64`. Throws WB_UNAUTHENTICATED, saying what to type. */
export type Negotiate = (endpoint: URL, signal: AbortSignal | undefined) => Promise<string>;

/** Whether an answer asks for a ticket of Kerberos. */
export function wantsTicket(status: number, headers: Readonly<Record<string, string>>): boolean {
  return status === 401 && /(^|,)\s*negotiate\b/i.test(headers['www-authenticate'] ?? '');
}

/** The cookie by which Hadoop knows again who has shown a ticket; undefined: the answer sets none. */
export function authCookieOf(headers: Readonly<Record<string, string>>): string | undefined {
  const value = /(?:^|,\s*)hadoop\.auth=("[^"]*"|[^;,]*)/.exec(headers['set-cookie'] ?? '')?.[1];
  return value === undefined || value === '' || value === '""' ? undefined : `hadoop.auth=${value}`;
}
