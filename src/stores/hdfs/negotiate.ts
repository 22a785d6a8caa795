/** The place for whoever can answer `WWW-Authenticate: Negotiate`: SPNEGO, with a ticket of Kerberos. */
import type { Headers } from '../lib/exchange.js';
import type { HttpAnswer, HttpClient, HttpRequest } from '../lib/http-client.js';
import type { HdfsIdentity } from './identity.js';

/** Makes the `Authorization` of a request to this name node: `Negotiate BASE64`. Throws WB_UNAUTHENTICATED, saying what to type. */
export type Negotiate = (endpoint: URL, signal: AbortSignal | undefined) => Promise<string>;

/** A request with all that it says. */
export type Sent = HttpRequest & { readonly url: URL; readonly headers: Headers };

/** Whether an answer asks for a ticket of Kerberos. */
export function wantsTicket(status: number, headers: Readonly<Record<string, string>>): boolean {
  return status === 401 && /(^|,)\s*negotiate\b/i.test(headers['www-authenticate'] ?? '');
}

/** The cookie by which Hadoop knows again who has shown a ticket; undefined: the answer sets none. */
export function authCookieOf(headers: Readonly<Record<string, string>>): string | undefined {
  const value = /(?:^|,\s*)hadoop\.auth=("[^"]*"|[^;,]*)/.exec(headers['set-cookie'] ?? '')?.[1];
  return value === undefined || value === '' || value === '""' ? undefined : `hadoop.auth=${value}`;
}

/** Who has signed in to which name node, by the cookies that came back. Without a way to sign in it is nobody. */
export class SignIns {
  private readonly cookies = new Map<string, string>();
  private readonly turns = new Map<string, Promise<HttpAnswer>>();

  constructor(private readonly negotiate: Negotiate | undefined) {}

  /** What a request to this origin says of itself; undefined: nobody has signed in there. */
  cookieOf(origin: string): string | undefined {
    return this.cookies.get(origin);
  }

  /** Who is asking, for messages. */
  identityOr(identity: HdfsIdentity): HdfsIdentity {
    if (this.cookies.size === 0) return identity;
    return { ...identity, who: 'the owner of the Kerberos ticket (klist)', remedy: 'run kinit' };
  }

  /** Keeps a newer cookie of who has shown a ticket. Of those who believe a name it is nothing but that name. */
  keep(answer: HttpAnswer): void {
    if (this.cookies.has(answer.url.origin)) this.remember(answer);
  }

  private remember({ headers, url, status }: HttpAnswer): void {
    const cookie = status === 401 ? undefined : authCookieOf(headers);
    if (cookie !== undefined) this.cookies.set(url.origin, cookie);
  }

  /**
   * Answers a refusal that asks for a ticket: sends the request again with one, or gives the refusal back. One at a time: the
   * cookie of the first serves all that wait.
   */
  async retried(
    refusal: HttpAnswer,
    { sent, http }: { readonly sent: Sent; readonly http: HttpClient },
  ): Promise<HttpAnswer> {
    const { negotiate } = this;
    if (negotiate === undefined || !wantsTicket(refusal.status, refusal.headers)) return refusal;
    refusal.body.destroy();
    const { origin } = sent.url;
    const before = this.turns.get(origin);
    const turn = (async () => {
      await before?.catch(() => undefined);
      sent.signal?.throwIfAborted();
      const known = this.cookies.get(origin);
      const { cookie: refused, ...headers } = sent.headers;
      const isNew = known !== undefined && known !== refused;
      const proof = isNew
        ? { cookie: known }
        : { authorization: await negotiate(sent.url, sent.signal) };
      const answer = await http.request({
        ...sent,
        url: withoutUser(sent.url),
        headers: { ...headers, ...proof },
      });
      this.remember(answer);
      return answer;
    })();
    this.turns.set(origin, turn);
    try {
      return await turn;
    } finally {
      if (this.turns.get(origin) === turn) this.turns.delete(origin);
    }
  }
}

/** A name node compares a name with that of the ticket, and refuses another one. */
export function withoutUser(url: URL): URL {
  const plain = new URL(url);
  plain.searchParams.delete('user.name');
  return plain;
}
