/** Tokens of Microsoft Entra: of a service principal, a workload, a managed identity, or whoever is signed in with az. */
import type { AccessToken, TokenCredential, TokenCredentialOptions } from '@azure/identity';
import { WaybillError } from '../../model/errors.js';
import type { HttpClient } from '../lib/http-client.js';
import { hideSecrets } from '../lib/secret-mask.js';
import type { StoreAddress } from '../store.js';
import { IdentityRequests } from './identity-http.js';

/** What tokens of Azure Storage are for, in every cloud. */
const SCOPE = 'https://storage.azure.com/.default';

/** Tokens are replaced so long before they end: a request in flight must not outlive them. */
const REFRESH_BEFORE_MS = 5 * 60_000;

const MAX_SHOWN_CHARACTERS = 400;

/** Gives a token when a request needs one. Nothing is loaded or asked before the first `get`. */
export class TokenSource {
  private readonly requests: IdentityRequests;
  private credential: Promise<TokenCredential> | undefined;
  private known: AccessToken | undefined;
  private pending: Promise<string> | undefined;

  /** @param http sends what has to be asked; it may reach more than the container's origins */
  constructor(
    private readonly address: StoreAddress,
    private readonly root: string,
    http: HttpClient,
  ) {
    this.requests = new IdentityRequests(http);
  }

  /** The token now. Throws WB_UNAUTHENTICATED where nobody is signed in. */
  async get(): Promise<string> {
    const { known } = this;
    if (known !== undefined && known.expiresOnTimestamp - Date.now() > REFRESH_BEFORE_MS) {
      return known.token;
    }
    // One question for all readers that wait.
    this.pending ??= this.ask().finally(() => {
      this.pending = undefined;
    });
    return this.pending;
  }

  /** The service refused the token: the next `get` asks for a new one. Whether there was one. */
  forget(): boolean {
    const hadOne = this.known !== undefined;
    this.known = undefined;
    this.credential = undefined;
    return hadOne;
  }

  private async ask(): Promise<string> {
    this.requests.takeFailure();
    try {
      this.credential ??= loadCredential(this.address, this.requests);
      const token = await (await this.credential).getToken(SCOPE);
      if (token === null) throw new Error('the identity gives no token');
      this.known = token;
      return token.token;
    } catch (cause) {
      this.credential = undefined;
      if (this.known !== undefined && this.known.expiresOnTimestamp > Date.now()) {
        return this.known.token;
      }
      // Where nobody answered, the identity is not to blame.
      throw this.requests.takeFailure() ?? this.notFound(cause);
    }
  }

  private notFound(cause: unknown): WaybillError {
    const text = cause instanceof Error ? cause.message : String(cause);
    const said = hideSecrets(text, this.address.secrets).replace(/\s+/g, ' ').trim();
    const shown =
      said.length > MAX_SHOWN_CHARACTERS ? `${said.slice(0, MAX_SHOWN_CHARACTERS)}…` : said;
    return new WaybillError(
      'WB_UNAUTHENTICATED',
      `no credentials for ${this.root}: set AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, or sign in ` +
        `(az login); for a public container AZURE_STORAGE_ANON=true (${shown})`,
      { operation: 'sign', store: 'azure-blob', scope: 'source', cause },
    );
  }
}

/**
 * The identity that the settings name, else what the machine and its user have. The library's own look at the environment is not
 * enough: the worker has another one than the command line (rule 2).
 */
async function loadCredential(
  { settings, secrets }: StoreAddress,
  httpClient: IdentityRequests,
): Promise<TokenCredential> {
  const identity = await import('@azure/identity');
  const authorityHost = settings['AZURE_AUTHORITY_HOST'];
  const options: TokenCredentialOptions & { disableInstanceDiscovery?: boolean } = {
    httpClient,
    // Temporal retries.
    retryOptions: { maxRetries: 0 },
    // An authority of one's own is not in Microsoft's list of them.
    ...(authorityHost === undefined ? {} : { authorityHost, disableInstanceDiscovery: true }),
  };
  const { AZURE_TENANT_ID: tenantId, AZURE_CLIENT_ID: clientId } = settings;
  if (tenantId !== undefined && clientId !== undefined) {
    const secret = secrets['AZURE_CLIENT_SECRET'];
    if (secret !== undefined) {
      return new identity.ClientSecretCredential(tenantId, clientId, secret, options);
    }
    const certificatePath = settings['AZURE_CLIENT_CERTIFICATE_PATH'];
    if (certificatePath !== undefined) {
      const certificatePassword = secrets['AZURE_CLIENT_CERTIFICATE_PASSWORD'];
      const certificate = {
        certificatePath,
        ...(certificatePassword === undefined ? {} : { certificatePassword }),
      };
      return new identity.ClientCertificateCredential(tenantId, clientId, certificate, options);
    }
    const tokenFilePath = settings['AZURE_FEDERATED_TOKEN_FILE'];
    if (tokenFilePath !== undefined) {
      const workload = { ...options, tenantId, clientId, tokenFilePath };
      return new identity.WorkloadIdentityCredential(workload);
    }
  }
  return new identity.DefaultAzureCredential({
    ...options,
    ...(tenantId === undefined ? {} : { tenantId }),
    ...(clientId === undefined ? {} : { managedIdentityClientId: clientId }),
  });
}
