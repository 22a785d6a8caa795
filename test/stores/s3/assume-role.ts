/** Temporary keys from a MinIO, restricted by a policy, as its STS gives them. */
import { createHash, createHmac } from 'node:crypto';
import type { Minio } from '../../helpers/minio.js';

/** What may be done with a set of keys. */
export interface Statement {
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
}

/** Asks the server for keys that may do only what the statements allow; as secrets of a connection. */
export async function temporaryKeys(
  minio: Minio,
  statements: readonly Statement[],
): Promise<Record<string, string>> {
  const Policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: statements.map((statement) => ({ Effect: 'Allow', ...statement })),
  });
  const body = new URLSearchParams({
    Action: 'AssumeRole',
    Version: '2011-06-15',
    DurationSeconds: '900',
    Policy,
  }).toString();
  const response = await fetch(minio.endpoint, {
    method: 'POST',
    headers: signed(minio, body),
    body,
  });
  const xml = await response.text();
  const element = (name: string): string => {
    const text = new RegExp(`<${name}>([^<]+)</${name}>`).exec(xml)?.[1];
    if (text === undefined) throw new Error(`no ${name} in ${xml}`);
    return text;
  };
  return {
    AWS_ACCESS_KEY_ID: element('AccessKeyId'),
    AWS_SECRET_ACCESS_KEY: element('SecretAccessKey'),
    AWS_SESSION_TOKEN: element('SessionToken'),
  };
}

/** Signature Version 4 for the service `sts`, by the book. */
function signed(minio: Minio, body: string): Record<string, string> {
  const at = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = `${at.slice(0, 8)}/${minio.region}/sts/aws4_request`;
  const host = new URL(minio.endpoint).host;
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
  const hmac = (key: string | Buffer, text: string): Buffer =>
    createHmac('sha256', key).update(text).digest();
  const type = 'application/x-www-form-urlencoded';
  const canonical = [
    ...['POST', '/', '', `content-type:${type}`, `host:${host}`, `x-amz-date:${at}`],
    ...['', 'content-type;host;x-amz-date', sha256(body)],
  ].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', at, scope, sha256(canonical)].join('\n');
  const key = scope.split('/').reduce<string | Buffer>(hmac, `AWS4${minio.secretAccessKey}`);
  const signature = hmac(key, toSign).toString('hex');
  return {
    'content-type': type,
    'x-amz-date': at,
    authorization:
      `AWS4-HMAC-SHA256 Credential=${minio.accessKeyId}/${scope}, ` +
      `SignedHeaders=content-type;host;x-amz-date, Signature=${signature}`,
  };
}
