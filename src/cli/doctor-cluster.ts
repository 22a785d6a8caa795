/** The checks of doctor for a Temporal cluster: it answers, has the namespace, and a worker serves it. */
import type { WaybillClient } from '../client.js';
import type { TemporalChoice } from '../config.js';
import { asWaybillError } from '../model/errors.js';
import { shellQuote } from '../model/shell-quote.js';
import type { DoctorCheck } from '../service/doctor.js';

const CONNECT_TIMEOUT_MS = 5_000;
type Cluster = TemporalChoice & { readonly kind: 'cluster' };

/**
 * Asks the cluster; stops at the first check that fails, for the next ones would only say the same.
 * @param findCli finds the path of a Temporal CLI, which makes a namespace
 */
export async function checkCluster(
  cluster: Cluster,
  findCli: () => Promise<string | undefined>,
): Promise<DoctorCheck[]> {
  const name = 'cluster';
  let client: WaybillClient;
  try {
    const [{ WaybillClient: Client }, { clusterOptions }] = await Promise.all([
      import('../client.js'),
      import('../client/cluster.js'),
    ]);
    const options = { ...clusterOptions(cluster), connectTimeoutMs: CONNECT_TIMEOUT_MS };
    client = await Client.connect(options);
  } catch (error) {
    const { message } = asWaybillError(error);
    const finding = `${message}; start it, or correct its address (${cluster.why}), or add --local`;
    return [{ name, result: 'problem', finding }];
  }
  try {
    const answers: DoctorCheck = { name, result: 'ok', finding: `${cluster.address} answers` };
    const namespace = await checkNamespace(client, cluster, findCli);
    if (namespace.result === 'problem') return [answers, namespace];
    return [answers, namespace, await checkWorkers(client, cluster)];
  } finally {
    await client.close();
  }
}

async function checkNamespace(
  client: WaybillClient,
  { address }: Cluster,
  findCli: () => Promise<string | undefined>,
): Promise<DoctorCheck> {
  const name = 'cluster namespace';
  try {
    if (await client.hasNamespace()) return { name, result: 'ok', finding: client.namespace };
  } catch (error) {
    return { name, result: 'problem', finding: asWaybillError(error).message };
  }
  const words = ['operator', 'namespace', 'create', '-n', client.namespace, '--address', address];
  const remedy = [(await findCli()) ?? 'temporal', ...words].map(shellQuote).join(' ');
  const finding = `${address} has no namespace "${client.namespace}": make it, or correct TEMPORAL_NAMESPACE`;
  return { name, result: 'problem', finding, remedy };
}

/** Workers of sites alone are a fine platform too: nobody at the common queue is worth a warning, no more. */
async function checkWorkers(client: WaybillClient, { address }: Cluster): Promise<DoctorCheck> {
  const name = 'cluster worker';
  const { workflows, transfer } = client.queues();
  try {
    if (await client.isServed()) {
      return { name, result: 'ok', finding: `one serves ${workflows} and ${transfer}` };
    }
  } catch (error) {
    return { name, result: 'problem', finding: asWaybillError(error).message };
  }
  const finding = 'nobody serves destinations any:/...; start a worker where they can be written';
  const { namespace } = client;
  const words = ['waybill', 'worker', '--cluster', address];
  if (namespace !== 'default') words.push('--namespace', namespace);
  return { name, result: 'warning', finding, remedy: words.map(shellQuote).join(' ') };
}
