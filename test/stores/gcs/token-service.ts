/**
 * What gives out Google's tokens: the OAuth endpoint for key files and users, the STS of workload identity, the IAM service that
 * impersonates, and a metadata server. Assertions of a service account are verified with its key. Each token that it gives is
 * one of `tokens`, so that a gate lets it in.
 */
import { createVerify, generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A key pair of this run's own: nothing that anybody could sign in with elsewhere. */
const KEY = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});

export const PRIVATE_KEY = KEY.privateKey;
export const REFRESH_TOKEN = '1//a-refresh-token-of-ada';
export const SUBJECT_TOKEN = 'a-token-of-the-cluster';

/** The key file of a service account. */
export function keyFile(tokenUri?: string, privateKey = PRIVATE_KEY): Record<string, string> {
  return {
    type: 'service_account',
    project_id: 'models',
    private_key_id: 'one',
    private_key: privateKey,
    client_email: 'reader@models.iam.gserviceaccount.com',
    client_id: '1',
    token_uri: tokenUri ?? 'https://oauth2.googleapis.com/token',
  };
}

export interface TokenService {
  readonly url: string;
  /** `POST /token urn:...`: method, path and kind of grant of each request. */
  readonly asked: string[];
  /** What it has given, in order. */
  readonly given: string[];
  /** For how long its tokens hold, from now on. */
  secondsLeft: number;
  /** Answers with this status instead, until it is undefined again. */
  failsWith: number | undefined;
  readonly answer: RequestListener;
  stop(): Promise<void>;
}

/** Starts it on 127.0.0.1; `tokens` gets what it gives. */
export async function startTokenService(tokens: Set<string>): Promise<TokenService> {
  const service = {
    url: '',
    asked: [] as string[],
    given: [] as string[],
    secondsLeft: 3_600,
    failsWith: undefined as number | undefined,
  };
  const answer: RequestListener = (request, response) => {
    void bodyOf(request).then((body) => {
      const form = new URLSearchParams(body);
      const grant = form.get('grant_type') ?? '';
      const path = (request.url ?? '').replace(/\?.*$/, '');
      service.asked.push(`${request.method ?? ''} ${path} ${grant.split(':').at(-1) ?? ''}`.trim());
      if (service.failsWith !== undefined) {
        send(response, service.failsWith, { error: 'unavailable', error_description: 'not now' });
        return;
      }
      const refusal = refusalOf(request, form, path);
      if (refusal !== undefined) {
        send(response, 400, { error: 'invalid_grant', error_description: refusal });
        return;
      }
      const token = `ya29.token-${service.given.length + 1}`;
      service.given.push(token);
      tokens.add(token);
      const { secondsLeft } = service;
      response.setHeader('metadata-flavor', 'Google');
      if (path.endsWith(':generateAccessToken')) {
        const expireTime = new Date(Date.now() + secondsLeft * 1_000).toISOString();
        send(response, 200, { accessToken: token, expireTime });
        return;
      }
      const kinds = { issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' };
      send(response, 200, {
        access_token: token,
        expires_in: secondsLeft,
        token_type: 'Bearer',
        ...kinds,
      });
    });
  };
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(service, {
    url,
    answer,
    stop: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
}

function refusalOf(
  request: IncomingMessage,
  form: URLSearchParams,
  path: string,
): string | undefined {
  const { authorization = '' } = request.headers;
  if (path.startsWith('/computeMetadata/')) return undefined;
  if (path.endsWith(':generateAccessToken')) {
    return authorization.startsWith('Bearer ya29.') ? undefined : 'no token';
  }
  const assertion = form.get('assertion');
  if (assertion !== null) return isSigned(assertion) ? undefined : 'Invalid JWT Signature.';
  if (form.get('refresh_token') === REFRESH_TOKEN) return undefined;
  if (form.get('subject_token') === SUBJECT_TOKEN) return undefined;
  return 'Token has been expired or revoked.';
}

function isSigned(jwt: string): boolean {
  const [head = '', claims = '', signature = ''] = jwt.split('.');
  return createVerify('RSA-SHA256')
    .update(`${head}.${claims}`)
    .verify(KEY.publicKey, Buffer.from(signature, 'base64url'));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
