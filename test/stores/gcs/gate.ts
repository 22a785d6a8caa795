/**
 * Stands before a fake-gcs-server, which lets everybody in: answers a request without a token, or with another one, as Google
 * does (https://cloud.google.com/storage/docs/json_api/v1/status-codes), and passes the others on.
 */
import type { ServerResponse } from 'node:http';
import { passOn, startHttpGate, type HttpGate } from '../../helpers/http-gate.js';

export interface Gate extends HttpGate {
  /** The Authorization of each request that came, '' for none. */
  readonly asked: string[];
  /** The project of each request that came, '' for none. */
  readonly payers: string[];
  /** Tokens that are let in; others are not known. */
  readonly tokens: Set<string>;
  /** Tokens of people who are known, and may not read. */
  readonly strangers: Set<string>;
  /** The Range of each request for the bytes of an object, by the object's name. */
  readonly ranges: { readonly name: string; readonly range: string }[];
}

export async function startGate(upstreamPort: number): Promise<Gate> {
  const asked: string[] = [];
  const payers: string[] = [];
  const tokens = new Set<string>();
  const strangers = new Set<string>();
  const ranges: { name: string; range: string }[] = [];
  const gate = await startHttpGate((request, response) => {
    const { authorization = '', 'x-goog-user-project': payer = '' } = request.headers;
    asked.push(authorization);
    payers.push(String(payer));
    const name = /^\/download\/storage\/v1\/b\/[^/]+\/o\/([^?]+)/.exec(request.url ?? '')?.[1];
    const { range = '' } = request.headers;
    if (name !== undefined) ranges.push({ name: decodeURIComponent(name), range });
    const token = /^Bearer (.*)$/.exec(authorization)?.[1];
    const lacks = 'does not have storage.objects.get access to the Google Cloud Storage object.';
    if (token === undefined) refuse(response, 401, 'required', `Anonymous caller ${lacks}`);
    else if (strangers.has(token)) refuse(response, 403, 'forbidden', `ada@example.com ${lacks}`);
    else if (!tokens.has(token)) refuse(response, 401, 'authError', 'Invalid Credentials');
    else passOn(request, response, { port: upstreamPort });
  });
  return { ...gate, asked, payers, tokens, strangers, ranges };
}

function refuse(response: ServerResponse, status: number, reason: string, message: string): void {
  const error = { code: status, message, errors: [{ message, domain: 'global', reason }] };
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error }));
}
