/** The connections of one address: to MLflow with its credentials, to the storage behind it without any. */
import { createHttpClient } from '../lib/http-client.js';
import type { HttpClient } from '../lib/http-client.js';
import type { StoreAddress } from '../store.js';
import { answerMsOf, readConfig } from './config.js';
import { MlflowRest } from './rest.js';
import { MAX_CONNECTIONS } from './store.js';

/** What resolving, listing and reading share. */
export interface MlflowParts {
  readonly rest: MlflowRest;
  readonly storage: HttpClient;
  close(): Promise<void>;
}

/** Reads the configuration and makes the clients. No request is made. */
export function openParts(address: StoreAddress): MlflowParts {
  const config = readConfig(address);
  const { settings, secrets, pace } = address;
  const answerMs = answerMsOf(settings);
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
    timeouts: answerMs === undefined ? {} : { headersMs: answerMs },
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
