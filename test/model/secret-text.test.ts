import { describe, expect, it } from '@jest/globals';
import { hideSecretLooking } from '../../src/model/secret-text.js';

describe('rule 3: what looks like a secret is hidden whatever its value', () => {
  it.each([
    ['Authorization: Bearer abc.def-1 is too old', 'Authorization: Bearer *** is too old'],
    ['authorization: Custom abc def\nHost: x', 'authorization: ***\nHost: x'],
    ['{"Authorization": "Basic bWU6cHc="}', '{"Authorization": "Basic ***"}'],
    ['{"headers":{"cookie":["a=b; c=d"]}}', '{"headers":{"cookie":["***"]}}'],
    [
      '{"message":"no \\"Authorization: X y\\" here"}',
      '{"message":"no \\"Authorization: ***\\" here"}',
    ],
    ['sent Basic bWU6cHc= to us', 'sent Basic *** to us'],
    ['Bearer%20eyJhbGciOi.x', 'Bearer%20***'],
    ['X-Amz-Security-Token: FwoGZ/+=', 'X-Amz-Security-Token: ***'],
    ['GET /a?x=1&X-Amz-Signature=00ff HTTP/1.1', 'GET /a?x=1&X-Amz-Signature=*** HTTP/1.1'],
    ['/a?sv=2&amp;sig=abc', '/a?sv=***&amp;sig=***'],
    [
      'AWS4-HMAC-SHA256 Credential=AK/1/s3, SignedHeaders=host, Signature=0f',
      'AWS4-HMAC-SHA256 Credential=***, SignedHeaders=host, Signature=***',
    ],
    ['{"access_token": "abc", "n": 1}', '{"access_token": "***", "n": 1}'],
    ['see http://me:pw@host/x?token=abc&n=1 there', 'see http://host/x?n=1 there'],
  ])('%s', (text, hidden) => {
    expect(hideSecretLooking(text)).toBe(hidden);
    expect(hideSecretLooking(hidden)).toBe(hidden);
  });

  it.each([
    'Basic authentication required',
    'the Bearer token has expired',
    'You are not authenticated. Set the Authorization header',
    'Invalid token: expired',
    'The request signature we calculated does not match the signature you provided. Check your key.',
    'set ALL_PROXY=http://user:password@host:port',
    "Registered Model with name='token' not found",
  ])('and this is left alone: %s', (text) => {
    expect(hideSecretLooking(text)).toBe(text);
  });
});
