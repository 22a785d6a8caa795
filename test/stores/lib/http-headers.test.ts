import { describe, expect, it } from '@jest/globals';
import { base64ToHex, digestsOf } from '../../../src/stores/lib/digest-headers.js';
import {
  answersPin,
  contentRangeOf,
  etagPin,
  ifMatchOf,
  mtimePin,
  pinOf,
  retryAfterMsOf,
} from '../../../src/stores/lib/http-headers.js';
import {
  nameOfBytes,
  percentDecodeOnce,
  percentEncodePath,
} from '../../../src/stores/lib/byte-names.js';
import { errorTextOf } from '../../../src/stores/lib/error-text.js';

describe('Content-Range', () => {
  it.each([
    ['bytes 0-4/5', { startBytes: 0, endBytes: 5, totalBytes: 5 }],
    ['bytes 2-4/*', { startBytes: 2, endBytes: 5 }],
    ['bytes 4-2/5', undefined],
    ['bytes 0-5/5', undefined],
    ['bytes */5', undefined],
    ['items 0-4/5', undefined],
    ['bytes 0-4/5, bytes 6-7/9', undefined],
  ])('%s', (header, range) => {
    expect(contentRangeOf({ 'content-range': header })).toEqual(range);
  });
});

describe('Retry-After', () => {
  it('is seconds, or a date on the clock of the server', () => {
    expect(retryAfterMsOf({ 'retry-after': '7' })).toBe(7_000);
    const date = 'Sat, 21 Nov 2026 12:00:00 GMT';
    const later = 'Sat, 21 Nov 2026 12:00:09 GMT';
    expect(retryAfterMsOf({ 'retry-after': later, date })).toBe(9_000);
    expect(retryAfterMsOf({ 'retry-after': date, date: later })).toBe(0);
  });

  it('is at most an hour, and nothing where it makes no sense', () => {
    expect(retryAfterMsOf({ 'retry-after': '999999999' })).toBe(3_600_000);
    expect(retryAfterMsOf({ 'retry-after': 'soon' })).toBeUndefined();
    expect(retryAfterMsOf({})).toBeUndefined();
  });
});

describe('pins', () => {
  const modified = 'Sat, 21 Nov 2026 12:00:00 GMT';

  it('rule 12: a strong ETag is a strong pin, and goes back as If-Match with its quotes', () => {
    const pin = pinOf({ etag: '"abc"', 'last-modified': modified }, 5);
    expect(pin).toEqual({ strength: 'strong', value: 'etag:"abc"' });
    expect(ifMatchOf(pin)).toBe('"abc"');
  });

  it('rule 12: a weak ETag, and Last-Modified with the size, are weak pins and no If-Match', () => {
    const weak = pinOf({ etag: 'W/"abc"' }, 5);
    expect(weak).toEqual({ strength: 'weak', value: 'etag:W/"abc"' });
    expect(ifMatchOf(weak)).toBeUndefined();
    const dated = pinOf({ 'last-modified': modified }, 5);
    expect(dated).toEqual({ strength: 'weak', value: 'mtime:2026-11-21T12:00:00.000Z+5' });
    expect(pinOf({ 'last-modified': modified }, undefined)).toBeUndefined();
    expect(mtimePin(undefined, 5)).toBeUndefined();
  });

  it('compares weak ETags weakly, strong ones exactly', () => {
    const strong = etagPin('"abc"');
    const weak = etagPin('W/"abc"');
    if (!strong || !weak) throw new Error('no pins');
    expect(answersPin(weak, strong)).toBe(true);
    expect(answersPin(weak, weak)).toBe(true);
    expect(answersPin(strong, weak)).toBe(false);
    expect(answersPin(strong, undefined)).toBe(false);
    expect(answersPin(weak, etagPin('"abd"'))).toBe(false);
  });
});

describe('digests in headers', () => {
  const SHA256 = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824';
  const base64 = Buffer.from(SHA256, 'hex').toString('base64');
  const md5 = Buffer.from('5d41402abc4b2a76b9719d911017c592', 'hex').toString('base64');

  it('become lowercase hex, and only of the right length', () => {
    expect(base64ToHex(base64, 32)).toBe(SHA256);
    expect(base64ToHex(base64, 20)).toBeUndefined();
    expect(base64ToHex('not base64!', 32)).toBeUndefined();
    expect(base64ToHex('', 0)).toBeUndefined();
  });

  it('are read from Repr-Digest, Digest and Content-MD5', () => {
    expect(digestsOf({ 'repr-digest': `sha-256=:${base64}:, md5=:${md5}:` }, false)).toEqual({
      sha256: SHA256,
      md5: '5d41402abc4b2a76b9719d911017c592',
    });
    expect(digestsOf({ digest: `SHA-256=${base64},unixsum=30637` }, true)).toEqual({
      sha256: SHA256,
    });
    expect(digestsOf({ 'content-md5': md5 }, true)).toEqual({
      md5: '5d41402abc4b2a76b9719d911017c592',
    });
  });

  it('rule 32: those of a part are none of the whole', () => {
    const headers = { 'content-md5': md5, 'content-digest': `sha-256=:${base64}:` };
    expect(digestsOf(headers, false)).toEqual({});
    expect(Object.keys(digestsOf(headers, true)).sort()).toEqual(['md5', 'sha256']);
  });

  it('of an unknown algorithm, or damaged, are passed over', () => {
    expect(digestsOf({ 'repr-digest': 'sha-256=:AAAA:, blake9=:AAAA:, nonsense' }, true)).toEqual(
      {},
    );
  });
});

describe('names in URLs', () => {
  it('are decoded exactly once', () => {
    expect(percentDecodeOnce('a%2520b')).toBe('a%20b');
    expect(percentDecodeOnce('100%.txt')).toBe('100%.txt');
    expect(percentDecodeOnce('%E6%A8%A1')).toBe('模');
    expect(percentDecodeOnce('%2e%2e%2f')).toBe('../');
  });

  it('that are no UTF-8 become text that is not well formed', () => {
    expect(percentDecodeOnce('caf%e9').isWellFormed()).toBe(false);
    expect(nameOfBytes(Buffer.from([0x61, 0xff]))).toBe('a\udcff');
  });

  it('are encoded segment by segment', () => {
    expect(percentEncodePath('a b/c#d?e&f%20')).toBe('a%20b/c%23d%3Fe%26f%2520');
  });
});

describe('the words of an error page', () => {
  it('are the message of JSON or XML, the title of a page, else its text', () => {
    expect(errorTextOf('{"error_code":"X","message":"no such run"}')).toBe('no such run');
    expect(errorTextOf('<Error><Code>A</Code><Message>Access Denied</Message></Error>')).toBe(
      'Access Denied',
    );
    expect(errorTextOf('<html><title>502 Bad Gateway</title><body>x</body></html>')).toBe(
      '502 Bad Gateway',
    );
    expect(errorTextOf('plain\u0007\r\n words')).toBe('plain words');
    expect(errorTextOf('{broken')).toBe('{broken');
  });

  it('are cut', () => {
    expect(errorTextOf('x'.repeat(500))).toHaveLength(201);
  });
});
