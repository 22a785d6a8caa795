/** Where tokens come from: with the address, from a file, from the platform, or none at all. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { errnoOf } from '../../model/errno.js';
import { WaybillError } from '../../model/errors.js';
import type { HttpClient } from '../lib/http-client.js';
import type { GcsConfig } from './config.js';
import { SIGN_IN } from './errors.js';
import type { TokenGiver } from './google-login.js';

/** Who asks, and by which headers. */
export interface Access {
  readonly headers: Readonly<Record<string, string>>;
  /** For messages: `the file /keys/sa.json (GOOGLE_APPLICATION_CREDENTIALS)`. */
  readonly who: string;
  /** What to do where the service does not let it in. */
  readonly remedy: string;
  readonly isAnonymous: boolean;
}

/** Gives access when a request needs it. */
export interface CredentialSource {
  /** The headers now. Throws WB_UNAUTHENTICATED where a sign-in is named and does not work. */
  get(): Promise<Access>;
  /** The service refused what `get` gave: it is looked for anew next time. Whether that can help at once. */
  forget(): boolean;
}

/**
 * The source that the settings ask for. Nothing is loaded, read or asked before the first `get`.
 * @param http sends what has to be asked, the way that the settings say; it may reach more than the bucket's origin
 */
export function createCredentialSource(config: GcsConfig, http: HttpClient): CredentialSource {
  const { place, identity } = config;
  if (place.isEmulator) {
    const variable = place.variable ?? '';
    return fixed(anonymous(`an emulator gets no credentials (${variable})`, `unset ${variable}`));
  }
  if (identity.anonymousBy !== undefined) {
    const remedy = `unset ${identity.anonymousBy}, and ${SIGN_IN}`;
    return fixed(anonymous(`nobody (${identity.anonymousBy})`, remedy));
  }
  if (identity.token !== undefined) {
    const { variable, value } = identity.token;
    return fixed({
      headers: withPayer({ authorization: `Bearer ${value}` }, identity.quotaProject),
      who: variable,
      remedy: `set ${variable} anew (gcloud auth print-access-token), or unset it`,
      isAnonymous: false,
    });
  }
  return new FoundCredentials(config, http);
}

function fixed(access: Access): CredentialSource {
  return { get: () => Promise.resolve(access), forget: () => false };
}

function anonymous(who: string, remedy: string): Access {
  return { headers: {}, who, remedy, isAnonymous: true };
}

function withPayer(
  headers: Readonly<Record<string, string>>,
  project: string | undefined,
): Readonly<Record<string, string>> {
  return project === undefined ? headers : { ...headers, 'x-goog-user-project': project };
}

/** A login that was found; none: nobody is signed in here. */
interface Found {
  readonly giver?: TokenGiver;
  readonly who: string;
  readonly remedy: string;
}

/** Google's own order: the file that is named, the one that gcloud writes, the platform. */
class FoundCredentials implements CredentialSource {
  private found: Promise<Found> | undefined;
  private known: { readonly access: Access; readonly endsAtMs: number } | undefined;

  constructor(
    private readonly config: GcsConfig,
    private readonly http: HttpClient,
  ) {}

  async get(): Promise<Access> {
    this.found ??= find(this.config, this.http);
    const { found } = this;
    try {
      const { giver, who, remedy } = await found;
      if (giver === undefined) return anonymous(who, remedy);
      const { headers, endsAtMs } = await giver.headers();
      const payer = withPayer(headers, this.config.identity.quotaProject);
      const access = { headers: payer, who, remedy, isAnonymous: false };
      this.known = { access, endsAtMs };
      return access;
    } catch (error) {
      // What lies in the file may be another login by now.
      if (this.found === found) this.found = undefined;
      if (this.known !== undefined && this.known.endsAtMs > Date.now()) return this.known.access;
      throw error;
    }
  }

  forget(): boolean {
    const hadSome = this.known !== undefined;
    this.found = undefined;
    this.known = undefined;
    return hadSome;
  }
}

async function find(config: GcsConfig, http: HttpClient): Promise<Found> {
  const { json, file, gcloudFolder } = config.identity;
  const { openLogin, openPlatform } = await import('./google-login.js');
  if (json !== undefined) {
    const { variable, value } = json;
    const remedy = `set ${variable} to the content of another key file, or unset it`;
    return {
      giver: await openLogin(value, { http, who: variable, remedy }),
      who: variable,
      remedy,
    };
  }
  if (file !== undefined) {
    const who = `the file ${file} (GOOGLE_APPLICATION_CREDENTIALS)`;
    const remedy = 'make a new key or sign in again, or name another file';
    const text = await readNamed(file, who);
    return { giver: await openLogin(text, { http, who, remedy }), who, remedy };
  }
  const folder = gcloudFolder ?? join(homedir(), '.config', 'gcloud');
  const usual = join(folder, 'application_default_credentials.json');
  const text = await readFile(usual, 'utf8').catch(() => undefined);
  if (text !== undefined) {
    const who = `the file ${usual}`;
    const remedy = 'run `gcloud auth application-default login` again';
    return { giver: await openLogin(text, { http, who, remedy }), who, remedy };
  }
  const giver = await openPlatform();
  const who = giver === undefined ? 'nobody' : 'the service account of this machine';
  const searched = `GOOGLE_APPLICATION_CREDENTIALS is not set, there is no ${usual}, and no metadata server of Google answers`;
  return giver === undefined
    ? { who, remedy: `${searched}: ${SIGN_IN}` }
    : { giver, who, remedy: 'give it the role Storage Object Viewer and its machine the scope' };
}

async function readNamed(file: string, who: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const code = errnoOf(cause) ?? 'unreadable';
    throw new WaybillError(
      'WB_UNAUTHENTICATED',
      `${who} cannot be read (${code}): correct the name, or ${SIGN_IN}`,
      { operation: 'sign', store: 'gcs', scope: 'source', cause },
    );
  }
}
