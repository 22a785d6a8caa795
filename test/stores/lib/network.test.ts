import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { WaybillError } from '../../../src/model/errors.js';
import { guardedLookup, isForbiddenAddress } from '../../../src/stores/lib/forbidden-address.js';
import {
  NETWORK_VARIABLES,
  splitNetworkVariables,
} from '../../../src/stores/lib/network-variables.js';
import { proxyFor, readProxyRules } from '../../../src/stores/lib/proxy.js';
import { readTimeouts } from '../../../src/stores/lib/timeouts.js';
import { readTlsSettings } from '../../../src/stores/lib/tls.js';

function codeOf(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    if (error instanceof WaybillError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'no error';
}

describe('the variables of the network', () => {
  it('rule 3: a proxy with a password is a secret, and a setting only without it', () => {
    expect(
      splitNetworkVariables({
        HTTPS_PROXY: 'http://ada:hunter2@proxy.example:3128',
        http_proxy: 'proxy.example:3128',
        NO_PROXY: 'localhost',
        SSL_CERT_FILE: '',
        HOME: '/home/ada',
      }),
    ).toEqual({
      settings: {
        HTTPS_PROXY: 'http://proxy.example:3128',
        http_proxy: 'http://proxy.example:3128',
        NO_PROXY: 'localhost',
      },
      secrets: { HTTPS_PROXY: 'http://ada:hunter2@proxy.example:3128' },
    });
    expect(NETWORK_VARIABLES.settings).toContain('REQUESTS_CA_BUNDLE');
  });
});

describe('the proxy of a request', () => {
  const rules = readProxyRules(
    {
      HTTP_PROXY: 'http://p1:1',
      https_proxy: 'http://p2:2',
      NO_PROXY: 'example.com, .internal,10.0.0.1:8080 ::1 [fd00::1]',
    },
    {},
  );
  it.each([
    ['http://host/', 'http://p1:1'],
    ['https://host/', 'http://p2:2'],
    ['https://example.com/', undefined],
    ['https://a.example.com/', undefined],
    ['https://notexample.com/', 'http://p2:2'],
    ['http://x.internal/', undefined],
    ['http://10.0.0.1:8080/', undefined],
    ['http://10.0.0.1/', 'http://p1:1'],
    ['http://[::1]:99/', undefined],
    ['http://[fd00::1]/', undefined],
  ])('for %s', (url, proxy) => {
    expect(proxyFor(rules, new URL(url))?.address).toBe(proxy);
  });

  it('is none for https where only HTTP_PROXY is set, and ALL_PROXY where neither is', () => {
    const url = new URL('https://host/');
    expect(proxyFor(readProxyRules({ HTTP_PROXY: 'http://p1:1' }, {}), url)).toBeUndefined();
    expect(proxyFor(readProxyRules({ ALL_PROXY: 'http://p3:3' }, {}), url)?.address).toBe(
      'http://p3:3',
    );
  });

  it('comes with its password from the secrets, and NO_PROXY=* turns it off', () => {
    const settings = { HTTPS_PROXY: 'http://p:1' };
    const secrets = { HTTPS_PROXY: 'http://u:p@p:1' };
    const url = new URL('https://host/');
    expect(proxyFor(readProxyRules(settings, secrets), url)?.address).toBe('http://u:p@p:1');
    const off = readProxyRules({ ...settings, NO_PROXY: '*' }, secrets);
    expect(proxyFor(off, url)).toBeUndefined();
  });

  it('that is no address is a wrong setting', () => {
    expect(codeOf(() => readProxyRules({ HTTP_PROXY: 'ftp://x' }, {}))).toMatch(
      /^WB_CONFIG_INVALID: HTTP_PROXY is not/,
    );
  });
});

describe('certificates', () => {
  it('a file that is missing, or holds none, is a wrong setting that names its variable', () => {
    const dir = mkdtempSync(join(tmpdir(), 'waybill-tls-'));
    const file = join(dir, 'ca.pem');
    writeFileSync(file, 'no certificate');
    expect(codeOf(() => readTlsSettings({ SSL_CERT_FILE: '/no/such.pem' }, {}, 'http'))).toMatch(
      /^WB_CONFIG_INVALID: SSL_CERT_FILE names \/no\/such.pem, which cannot be read/,
    );
    expect(codeOf(() => readTlsSettings({ REQUESTS_CA_BUNDLE: file }, {}, 's3'))).toMatch(
      /^WB_CONFIG_INVALID: REQUESTS_CA_BUNDLE .* holds no PEM certificate/,
    );
    rmSync(dir, { recursive: true });
  });

  it('meant for one service say nothing about another', () => {
    const settings = {
      AWS_CA_BUNDLE: '/no/such.pem',
      MLFLOW_TRACKING_SERVER_CERT_PATH: '/no/such.pem',
      MLFLOW_TRACKING_INSECURE_TLS: 'true',
    };
    expect(readTlsSettings(settings, {}, 'http').withIdentity).toEqual({});
    expect(codeOf(() => readTlsSettings(settings, {}, 's3'))).toMatch(/AWS_CA_BUNDLE/);
    expect(codeOf(() => readTlsSettings(settings, {}, 'mlflow'))).toMatch(/MLFLOW_TRACKING_SERVER/);
    const insecure = { MLFLOW_TRACKING_INSECURE_TLS: 'true' };
    expect(readTlsSettings(insecure, {}, 'mlflow').withIdentity).toEqual({
      rejectUnauthorized: false,
    });
  });
});

describe('addresses that are never asked', () => {
  it.each([
    ['169.254.169.254', true],
    ['169.254.0.1', true],
    ['fe80::1', true],
    ['::ffff:169.254.169.254', true],
    ['fd00:ec2::254', true],
    ['100.100.100.200', true],
    ['64:ff9b::a9fe:a9fe', true],
    ['2002:a9fe:a9fe::1', true],
    ['::169.254.169.254', true],
    ['127.0.0.1', false],
    ['10.0.0.1', false],
    ['64:ff9b::10.0.0.1', false],
    ['::1', false],
    ['not an address', false],
  ])('rule 4: %s: %s', (address, isForbidden) => {
    expect(isForbiddenAddress(address)).toBe(isForbidden);
  });

  it('rule 4: whatever name leads to one fails when it is looked up for a connection', async () => {
    const look = (name: string): Promise<unknown> =>
      new Promise((resolve) =>
        guardedLookup(name, { all: true }, (error, found) => resolve(error ?? found)),
      );
    expect(await look('169.254.169.254')).toMatchObject({ code: 'WB_PERMISSION_DENIED' });
    expect(await look('127.0.0.1')).toEqual([{ address: '127.0.0.1', family: 4 }]);
  });
});

describe('timeouts', () => {
  it.each([
    ['600', {}, { headersMs: 600_000, stallMs: 600_000 }],
    ['-1', {}, { headersMs: 120_000, stallMs: 60_000 }],
    ['600', { WAYBILL_STALL_TIMEOUT: '5s' }, { headersMs: 5_000, stallMs: 5_000 }],
  ])(
    "take the seconds of MLflow's users, %s, unless Waybill's own are set",
    (text, more, expected) => {
      const settings = { MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT: text, ...more };
      expect(readTimeouts(settings)).toMatchObject(expected);
    },
  );

  it('that are no number are said', () => {
    const settings = { MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT: 'soon' };
    expect(() => readTimeouts(settings)).toThrow(/MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT: "soon"/);
  });

  it('have units', () => {
    expect(
      readTimeouts({ WAYBILL_STALL_TIMEOUT: '1.5s', WAYBILL_CONNECT_TIMEOUT: '250ms' }),
    ).toEqual({ connectMs: 250, headersMs: 1_500, stallMs: 1_500 });
    expect(readTimeouts({})).toEqual({ connectMs: 10_000, headersMs: 120_000, stallMs: 60_000 });
    expect(codeOf(() => readTimeouts({ WAYBILL_STALL_TIMEOUT: '60' }))).toMatch(
      /WB_CONFIG_INVALID/,
    );
  });
});
