/** API keys as a self-hosted Temporal takes them: JWTs, with an authority of the test's own. */
import { createSign, generateKeyPairSync } from 'node:crypto';

export interface KeyAuthority {
  /** What the server reads to check them (JWKS). */
  readonly jwks: string;
  /** A key for these permissions: `default:write`, `temporal-system:admin`. */
  issue(subject: string, permissions: readonly string[]): string;
}

const encode = (value: object | Buffer): string =>
  (Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value))).toString('base64url');

export function makeKeyAuthority(): KeyAuthority {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const kid = 'test';
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' };
  return {
    jwks: JSON.stringify({ keys: [jwk] }),
    issue: (sub, permissions) => {
      const exp = Math.floor(Date.now() / 1_000) + 24 * 3_600;
      const head = encode({ alg: 'RS256', typ: 'JWT', kid });
      const text = `${head}.${encode({ sub, permissions, exp })}`;
      return `${text}.${encode(createSign('RSA-SHA256').update(text).sign(privateKey))}`;
    },
  };
}
