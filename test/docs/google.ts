/** What stands behind Google's names in the documentation: a bucket of models, and whoever gives tokens for a key file. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startFakeGcs, type FakeGcs } from '../helpers/fake-gcs.js';
import { keyFile, startTokenService, type TokenService } from '../stores/gcs/token-service.js';

export interface Google {
  readonly storage: FakeGcs;
  readonly tokens: TokenService;
  /** Of a service account that may read. */
  readonly keyFile: string;
  stop(): Promise<void>;
}

/** Starts both; `models` is what the bucket holds as `churn/`. */
export async function startGoogle(dir: string, models: string): Promise<Google> {
  const [storage, tokens] = await Promise.all([startFakeGcs(), startTokenService(new Set())]);
  await storage.createBucket('models');
  await storage.putTree('models', 'churn', models);
  const file = join(dir, 'models-key.json');
  writeFileSync(file, JSON.stringify(keyFile()));
  return {
    storage,
    tokens,
    keyFile: file,
    stop: async () => {
      await Promise.all([storage.stop(), tokens.stop()]);
    },
  };
}
