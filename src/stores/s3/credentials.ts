/** Where the keys come from: with the address, from a profile, from the platform, or none at all. */
import type { FromHttpOptions } from '@aws-sdk/credential-providers';
import { WaybillError } from '../../model/errors.js';
import { dropWarning } from '../lib/drop-warning.js';
import type { HttpClient } from '../lib/http-client.js';
import { hideSecrets } from '../lib/secret-mask.js';
import { AwsRequests } from './aws-requests.js';
import { askContainer } from './container-keys.js';
import { isSignOn, readProfileSections } from './profile-files.js';
import type { S3Config, StaticCredentials } from './config.js';

/** Temporary keys are replaced so long before they expire: a request in flight must not outlive them. */
const REFRESH_BEFORE_MS = 5 * 60_000;

/** Gives keys when a request needs them. */
export interface CredentialSource {
  /** The keys now; undefined: requests go unsigned. Throws WB_UNAUTHENTICATED where none can be found. */
  get(): Promise<StaticCredentials | undefined>;
  /** The service refused the keys: those that were asked for are asked for anew next time. Whether there are such. */
  forget(): boolean;
}

/** Keys with the moment at which they end. */
export interface TemporaryCredentials extends StaticCredentials {
  readonly expiration?: Date;
}

type Provider = () => Promise<TemporaryCredentials>;

/**
 * The source that the settings ask for. Nothing is loaded or asked before the first `get`.
 * @param http sends what has to be asked, the way that the settings say; it may reach more than the bucket's origins
 */
export function createCredentialSource(config: S3Config, http: HttpClient): CredentialSource {
  if (config.isAnonymous) return fixed(undefined);
  if (config.credentials !== undefined) return fixed(config.credentials);
  return new ProvidedCredentials(config, http);
}

function fixed(credentials: StaticCredentials | undefined): CredentialSource {
  return { get: () => Promise.resolve(credentials), forget: () => false };
}

/** Keys of the AWS chain: profile, SSO, web identity, process, container and instance metadata. */
class ProvidedCredentials implements CredentialSource {
  private provider: Promise<Provider> | undefined;
  private known: TemporaryCredentials | undefined;
  private pending: Promise<TemporaryCredentials> | undefined;

  private readonly requests: AwsRequests;

  constructor(
    private readonly config: S3Config,
    private readonly http: HttpClient,
  ) {
    this.requests = new AwsRequests(http);
  }

  async get(): Promise<StaticCredentials> {
    if (this.known !== undefined && !isEnding(this.known)) return this.known;
    // One question for all readers that wait.
    this.pending ??= this.ask().finally(() => {
      this.pending = undefined;
    });
    return this.pending;
  }

  forget(): boolean {
    const hadSome = this.known !== undefined;
    this.known = undefined;
    this.provider = undefined;
    return hadSome;
  }

  private async ask(): Promise<TemporaryCredentials> {
    try {
      this.requests.takeFailure();
      this.provider ??= loadProvider(this.config, this.http, this.requests);
      this.known = await (await this.provider)();
      return this.known;
    } catch (cause) {
      this.provider = undefined;
      if (this.known?.expiration !== undefined && this.known.expiration.getTime() > Date.now()) {
        return this.known;
      }
      throw unanswered(this.requests.takeFailure() ?? cause) ?? notFound(this.config, cause);
    }
  }
}

/** Where nobody answered, the keys are not to blame: the error is what the network said. */
function unanswered(error: unknown): WaybillError | undefined {
  const isRefusal = (code: string): boolean =>
    ['WB_UNAUTHENTICATED', 'WB_PERMISSION_DENIED', 'WB_NOT_FOUND'].includes(code);
  return error instanceof WaybillError && !isRefusal(error.code) ? error : undefined;
}

function isEnding({ expiration }: TemporaryCredentials): boolean {
  return expiration !== undefined && expiration.getTime() - Date.now() < REFRESH_BEFORE_MS;
}

/** What the platform names beats the default profile; a profile that is asked for beats both, as in the AWS tools. */
async function loadProvider(
  config: S3Config,
  http: HttpClient,
  requestHandler: AwsRequests,
): Promise<Provider> {
  // About coming versions of Node: the SDK's variable against it is not ours to set.
  dropWarning(/AWS SDK for JavaScript \(v3\)/);
  const { profile, region } = config;
  const providers = await import('@aws-sdk/credential-providers');
  const shared = {
    logger: new SilentLogger(),
    ignoreCache: true,
    ...(profile.profile === undefined ? {} : { profile: profile.profile }),
    ...(profile.configFile === undefined ? {} : { configFilepath: profile.configFile }),
    ...(profile.credentialsFile === undefined ? {} : { filepath: profile.credentialsFile }),
    clientConfig: { requestHandler },
    // Not in `clientConfig`: the region of the bucket would replace the one that the profile names for its sign-in.
    parentClientConfig: { requestHandler, ...(region === undefined ? {} : { region }) },
  };
  const { roleArn, roleSessionName, webIdentityTokenFile } = profile;
  const named = profile.profile !== undefined;
  if (!named && roleArn !== undefined && webIdentityTokenFile !== undefined) {
    return providers.fromTokenFile({
      ...shared,
      roleArn,
      webIdentityTokenFile,
      ...(roleSessionName === undefined ? {} : { roleSessionName }),
    });
  }
  const container = containerOptions(config);
  const address = container?.awsContainerCredentialsFullUri;
  if (!named && address !== undefined && /^https:/i.test(address)) {
    return () => askContainer(http, address, config);
  }
  if (!named && container !== undefined) return providers.fromHttp({ ...container, ...shared });
  const hasOwnFiles = (profile.configFile ?? profile.credentialsFile) !== undefined;
  if (hasOwnFiles && isSignOn((await readProfileSections(profile)).profile)) {
    // The chain would look for the sign-on in the default files.
    return providers.fromSSO(shared);
  }
  const provide = providers.fromNodeProviderChain(shared);
  // The chain's own memory would hand out the old keys once more while it looks for new ones.
  return () => provide({ forceRefresh: true });
}

function containerOptions({ profile, containerToken }: S3Config): FromHttpOptions | undefined {
  const { containerFullUri, containerRelativeUri, containerTokenFile } = profile;
  if (containerFullUri === undefined && containerRelativeUri === undefined) return undefined;
  return {
    ...(containerRelativeUri === undefined
      ? { awsContainerCredentialsFullUri: containerFullUri ?? '' }
      : { awsContainerCredentialsRelativeUri: containerRelativeUri }),
    ...(containerTokenFile === undefined
      ? {}
      : { awsContainerAuthorizationTokenFile: containerTokenFile }),
    ...(containerToken === undefined ? {} : { awsContainerAuthorizationToken: containerToken }),
  };
}

/** The chain warns on the console where it is given no logger; its words would stand in the middle of a result. */
class SilentLogger {
  trace(): void {}
  debug(): void {}
  info(): void {}
  warn(): void {}
  error(): void {}
}

function notFound(config: S3Config, cause: unknown): WaybillError {
  const { profile } = config.profile;
  const where =
    profile === undefined ? 'the default profile, and the platform' : `the profile "${profile}"`;
  const text = cause instanceof Error ? cause.message.replace(/[\s.]+$/, '') : String(cause);
  // A service that gives keys may repeat the token with which it was asked.
  const said = hideSecrets(text, { token: config.containerToken ?? '' });
  return new WaybillError(
    'WB_UNAUTHENTICATED',
    `no credentials for ${config.root} in ${where} (${said}): set AWS_ACCESS_KEY_ID and ` +
      'AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; for a public bucket AWS_NO_SIGN_REQUEST=1',
    { operation: 'sign', store: 's3', scope: 'source', cause },
  );
}
