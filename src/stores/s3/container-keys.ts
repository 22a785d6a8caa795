/** Keys of a container's platform whose address is HTTPS: asked as everything else is asked, through proxies and with authorities. */
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import type { HttpClient } from '../lib/http-client.js';
import type { S3Config } from './config.js';
import type { TemporaryCredentials } from './credentials.js';

const Keys = z.object({
  AccessKeyId: z.string().min(1),
  SecretAccessKey: z.string().min(1),
  Token: z.string().optional(),
  Expiration: z.iso.datetime({ offset: true }).optional(),
});

/** More than any platform sends. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** Asks once. The platforms on link-local and loopback addresses are the SDK's to ask, directly. */
export async function askContainer(
  http: HttpClient,
  url: string,
  { profile, containerToken }: S3Config,
): Promise<TemporaryCredentials> {
  const { containerTokenFile } = profile;
  const token =
    containerTokenFile === undefined
      ? containerToken
      : (await readFile(containerTokenFile, 'utf8')).trim();
  const request = {
    url,
    headers: token === undefined ? {} : { authorization: token },
    operation: 'sign',
    redirects: 'never',
  } as const;
  const text = await http.readText(await http.requestOk(request), request, MAX_ANSWER_BYTES);
  const keys = Keys.parse(JSON.parse(text));
  return {
    accessKeyId: keys.AccessKeyId,
    secretAccessKey: keys.SecretAccessKey,
    ...(keys.Token === undefined || keys.Token === '' ? {} : { sessionToken: keys.Token }),
    ...(keys.Expiration === undefined ? {} : { expiration: new Date(keys.Expiration) }),
  };
}
