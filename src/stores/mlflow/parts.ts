/** The connections of one address: to MLflow with its credentials, to the storage behind it without any. */
import { createHttpClient } from '../lib/http-client.js';
import type { HttpClient } from '../lib/http-client.js';
import type { StoreAddress } from '../store.js';
import { readConfig } from './config.js';
import { MlflowRest } from './rest.js';
import { MAX_CONNECTIONS } from './store.js';

/** What resolving, listing and reading share. */
export interface MlflowParts {
  readonly rest: MlflowRest;
  readonly storage: HttpClient;
  close(): Promise<void>;
}

/** A time-out as MLflow's own client reads it: seconds, 120 by default. */
function headersMsOf(text: string | undefined): { headersMs?: number } {
  const seconds = Number(text ?? '');
  return seconds > 0 ? { headersMs: seconds * 1_000 } : {};
}

/** Reads the configuration and makes the clients. No request is made. */
export function openParts(address: StoreAddress): MlflowParts {
  const config = readConfig(address);
  const { settings, secrets, pace } = address;
  const common = {
    store: 'mlflow',
    settings,
    secrets,
    maxConnections: MAX_CONNECTIONS,
    pace,
  };
  const client = createHttpClient({
    ...common,
    profile: 'mlflow',
    identityOrigins: config.credentialsOrigins,
    timeouts: headersMsOf(settings['MLFLOW_HTTP_REQUEST_TIMEOUT']),
  });
  const storage = createHttpClient({ ...common, profile: 's3' });
  return {
    rest: new MlflowRest(config, client),
    storage,
    close: async () => {
      await Promise.all([client.close(), storage.close()]);
    },
  };
}
