/** What a worker may reach for whoever asks (rule 4). */
import { redactUri, schemeOf, coversUri } from '../model/artifact-uri.js';
import { WaybillError } from '../model/errors.js';
import type { PullRequest } from '../model/pull.js';
import type { ConnectionSecrets, ConnectionSettings } from '../stores/store.js';

/** How a source is opened. */
export interface SourceAccess {
  readonly settings: ConnectionSettings;
  readonly secrets: ConnectionSecrets;
}

/** Asked before anything is read or written. */
export interface Reach {
  /**
   * The settings and secrets of a request's source. WB_UNAUTHENTICATED: they are needed and gone; WB_CONFIG_INVALID,
   * WB_PERMISSION_DENIED: the request asks for what this worker does not give.
   * @param resolved the settings that were found when the source was resolved
   */
  connect(request: PullRequest, resolved?: ConnectionSettings): Promise<SourceAccess>;
  /** Throws WB_PERMISSION_DENIED if this URI may not be read. `asked` is what the request names, `uri` what that means. */
  checkSource(asked: string, uri: string, settings: ConnectionSettings): Promise<void>;
  /** Throws WB_PERMISSION_DENIED if a local folder may not be written. */
  checkDestination(path: string): Promise<void>;
}

/** The setting that lists what a connection may read, separated by blanks. */
export const PREFIXES_SETTING = 'WAYBILL_PREFIXES';

/** Schemes of files that a registry's own server hands out. */
const HANDED_OUT: ReadonlySet<string> = new Set(['mlflow-artifacts', 'mlrun']);

/** A refusal that ends the pull. */
export function outOfReach(message: string): WaybillError {
  const about = { operation: 'open', scope: 'request', retryable: false } as const;
  return new WaybillError('WB_PERMISSION_DENIED', message, about);
}

/**
 * Holds a source to the prefixes of its connection. What a reference led to counts: only files that the registry's server
 * itself hands out (`mlflow-artifacts:`, `mlrun:`) may be covered by the reference's own prefix.
 */
export function checkPrefixes(asked: string, uri: string, settings: ConnectionSettings): void {
  const prefixes = (settings[PREFIXES_SETTING] ?? '').split(/\s+/).filter((one) => one !== '');
  // A local path that was asked for is no connection's business.
  if (prefixes.length === 0 || (uri === asked && schemeOf(uri) === 'file')) return;
  const isCovered = (one: string): boolean => prefixes.some((prefix) => coversUri(prefix, one));
  if (isCovered(uri)) return;
  if (HANDED_OUT.has(schemeOf(uri)) && isCovered(asked)) return;
  const led = uri === asked ? '' : `, where ${redactUri(asked)} leads,`;
  throw outOfReach(
    `${redactUri(uri)}${led} is outside of what the connection may read: ${prefixes.join(' ')}`,
  );
}

/** What the user's own commands may read: a connection's own limits hold. */
export const ownReach: Pick<Reach, 'checkSource'> = {
  checkSource: (...question) => Promise.resolve().then(() => checkPrefixes(...question)),
};

/** The local service: it may do what its user may; a connection's own limits hold. */
export function openReach(
  credentials: (fingerprint: string) => Promise<ConnectionSecrets | undefined>,
): Reach {
  return {
    connect: async (request, resolved) => ({
      settings: resolved ?? request.source.settings,
      secrets: await handedOver(request, credentials),
    }),
    ...ownReach,
    checkDestination: () => Promise.resolve(),
  };
}

async function handedOver(
  { source }: PullRequest,
  credentials: (fingerprint: string) => Promise<ConnectionSecrets | undefined>,
): Promise<ConnectionSecrets> {
  if (source.credentials === undefined) return {};
  const secrets = await credentials(source.credentials);
  if (secrets !== undefined) return secrets;
  throw new WaybillError(
    'WB_UNAUTHENTICATED',
    'needs credentials: the local service was restarted and has them no more; run the same command again from a shell that has them',
    { operation: 'open' },
  );
}
