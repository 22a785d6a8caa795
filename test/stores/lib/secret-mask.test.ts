import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHttpClient } from '../../../src/stores/lib/http-client.js';
import { errorTextOf } from '../../../src/stores/lib/error-text.js';
import { hideSecrets } from '../../../src/stores/lib/secret-mask.js';
import { startCutServer, type CutServer } from '../../helpers/cut-server.js';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const PASSWORD = 'p/w+ö"&ß x';

describe('rule 3: a secret is hidden in every form that a server may repeat', () => {
  it.each([
    ['as it is', PASSWORD],
    ['percent-encoded', encodeURIComponent(PASSWORD)],
    ['in lower case', encodeURIComponent(PASSWORD).toLowerCase()],
    ['with only some signs encoded', encodeURI(PASSWORD)],
    ['twice', encodeURIComponent(encodeURIComponent(PASSWORD))],
    ['as a form has it', encodeURIComponent(PASSWORD).replaceAll('%20', '+')],
    ['in JSON', JSON.stringify(PASSWORD).slice(1, -1)],
    ['in JSON of ASCII', 'p\\/w\\u002b\\u00f6\\"\\u0026\\u00df x'],
    ['in HTML', 'p/w+&#246;&quot;&amp;&#xDF; x'],
    ['in Base64', base64(PASSWORD)],
    ['without padding', base64(PASSWORD).replace(/=+$/, '')],
    ['with its user', base64(`me:${PASSWORD}`)],
    ['for addresses', Buffer.from(`me:${PASSWORD}`).toString('base64url')],
    ['in an address', encodeURIComponent(base64(`me:${PASSWORD}`))],
  ])('%s', (_, form) => {
    const secrets = { username: 'me', password: encodeURIComponent(PASSWORD) };
    expect(hideSecrets(`<${form}>`, secrets)).toBe('<***>');
    expect(hideSecrets(`<${form}>`, { WAYBILL_HTTP_TOKEN: 'another' })).not.toBe('<***>');
  });

  it('of two the longer one goes first, where one is part of the other', () => {
    expect(hideSecrets('abcdefgh', { a: 'abcde', b: 'bcdefgh' })).toBe('a***');
  });

  it('a short one is hidden where it stands alone, and leaves words whole', () => {
    const text = 'no /a?p=ab,ab: the table is absent';
    expect(hideSecrets(text, { password: 'ab' })).toBe('no /a?p=***,***: the table is absent');
  });

  it('a token of any length', () => {
    for (const size of [199, 200, 205, 401, 60_000]) {
      const long = randomBytes(size).toString('base64url').slice(0, size);
      const said = hideSecrets(`no ${long}, ${base64(long)}.`, { token: long });
      expect(said).toBe('no ***, ***.');
    }
  });

  it('one that is cut at the end of the text is hidden as well', () => {
    expect(hideSecrets('no: 0123456', { t: '0123456789' })).toBe('no: ***');
  });

  it('the password of a proxy, a signature and a key, and not how and until when it is signed', () => {
    const secrets = { HTTPS_PROXY: 'http://u:proxy-pw@p:1', query: 'se=2030&sig=abcd%2B1&sp=read' };
    expect(hideSecrets('proxy-pw abcd+1 abcd%2b1 read 2030', secrets)).toBe(
      '*** *** *** read 2030',
    );
  });

  it('the words around it stay', () => {
    const said = errorTextOf(hideSecrets('{"message":"key \\"k-123\\" expired"}', { k: 'k-123' }));
    expect(said).toBe('key "***" expired');
  });
});

it('rule 3: the words of a server come in through one door, which hides secrets', () => {
  const stores = fileURLToPath(new URL('../../../../src/stores', import.meta.url));
  const readers = readdirSync(stores, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .filter((name) =>
      /import .*readErrorBody.* from '.*error-text/.test(readFileSync(join(stores, name), 'utf8')),
    );
  expect(readers).toEqual(['lib/http-client.ts']);
});

describe('rule 3: a server that repeats what it was sent', () => {
  let server: CutServer;
  let other: CutServer;
  beforeAll(async () => {
    [server, other] = await Promise.all([startCutServer(), startCutServer()]);
  });
  afterAll(() => Promise.all([server.stop(), other.stop()]));

  const refusal = async (url: string, headers: Record<string, string>): Promise<string> => {
    const client = createHttpClient({
      store: 'http',
      settings: {},
      secrets: {},
      maxConnections: 1,
    });
    const error: unknown = await client
      .requestOk({ url, headers, operation: 'stat' })
      .catch((thrown: unknown) => thrown);
    await client.close();
    return String(error);
  };

  it('has each credential header taken out that was sent, by value', async () => {
    server.serve('/x', ({ headers }) => ({
      status: 403,
      body: `no: ${['authorization', 'x-amz-security-token', 'x-vault-token'].map((name) => String(headers[name]).split(' ').at(-1)).join(' ')} for ${String(headers['x-workspace'])}`,
    }));
    const sent = {
      authorization: 'Own abc-1',
      'x-amz-security-token': 'FwoGZ/+=',
      'x-vault-token': 'hvs.9',
      'x-workspace': 'team-a',
    };
    expect(await refusal(`${server.url}/x`, sent)).toMatch(/no: \*\*\* \*\*\* \*\*\* for team-a$/);
  });

  it('shows no ticket of a redirect, in its words or in the address', async () => {
    server.serve('/from', {
      status: 302,
      headers: { Location: `${other.url}/to?ticket=tick-et-9&n=1` },
    });
    other.serve('/to', ({ headers }) => ({
      status: 403,
      body: `tick-et-9 ${String(headers.authorization)} is no ticket`,
    }));
    const told = await refusal(`${server.url}/from`, { authorization: 'Bearer first-hop-1' });
    expect(told).toContain(`${other.url}/to forbids it (HTTP 403): *** undefined is no ticket`);
    server.serve('/bad', { status: 302, headers: { Location: 'ftp://me:pw-1@x/y?ticket=t-1#a' } });
    expect(await refusal(`${server.url}/bad`, {})).toContain('redirects to ftp://x/y, which');
  });
});
