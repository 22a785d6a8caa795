/** `--here`: the command becomes a worker of the cluster, for its own pull and as long as that takes. */
import type { Config } from '../config.js';
import { WaybillError } from '../model/errors.js';
import type { PullRequest } from '../model/pull.js';
import type { HereWorker } from '../here.js';
import type { BuiltRequest } from './request/build.js';
import type { Session } from './session.js';

/** The queue is served, and the request names the secrets by their fingerprint. */
export interface ServedHere {
  readonly request: PullRequest;
  readonly worker: HereWorker;
}

/** The fingerprint of secrets that stay in this process: the same each time, and nothing to guess passwords by (rule 2). */
async function fingerprintOf(
  stateDir: string,
  secrets: Readonly<Record<string, string>>,
): Promise<string> {
  const [{ createCredentialsVault }, { readOrMakeKey }, { makeServiceFolders, serviceFiles }] =
    await Promise.all([
      import('../service/credentials-vault.js'),
      import('../service/private-key.js'),
      import('../service/service-files.js'),
    ]);
  makeServiceFolders(stateDir);
  return createCredentialsVault(readOrMakeKey(serviceFiles(stateDir).fingerprintKey)).put(secrets);
}

/** Starts to serve. Throws WB_TEMPORAL_UNREACHABLE. */
export async function serveThisHost(
  { temporal, stateDir }: Config,
  session: Session,
  { request: asked, address, site }: BuiltRequest,
): Promise<ServedHere> {
  if (temporal.kind !== 'cluster' || site === undefined) {
    throw new WaybillError('WB_UNEXPECTED', 'there is no cluster to serve');
  }
  const { secrets } = address;
  const hasSecrets = Object.keys(secrets).length > 0;
  const [{ serveHere }, { clusterOptions }, { tuneForBytes }] = await Promise.all([
    import('../here.js'),
    import('../client/cluster.js'),
    import('../service/worker-flags.js'),
  ]);
  tuneForBytes();
  const request = hasSecrets
    ? { ...asked, source: { ...asked.source, credentials: await fingerprintOf(stateDir, secrets) } }
    : asked;
  const connection = clusterOptions(temporal);
  const { client } = session;
  const worker = await serveHere({ connection, client, site, request, secrets, stateDir });
  return { request, worker };
}
