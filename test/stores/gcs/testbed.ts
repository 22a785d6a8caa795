/** A real fake-gcs-server as the conformance suite and the tests of this folder use it. */
import { gcs } from '../../../src/stores/gcs/index.js';
import type { ConnectionSettings, Store } from '../../../src/stores/store.js';
import { inLanes } from '../../helpers/fake-gcs.js';
import type { FakeGcs } from '../../helpers/fake-gcs.js';
import type { OpenOptions, Testbed } from '../conformance/testbed.js';
import { startGate } from './gate.js';

/** What a store of a test is opened with. */
export interface OpenGcsOptions {
  readonly settings?: ConnectionSettings;
  readonly secrets?: Readonly<Record<string, string>>;
}

/** Opens a store with nothing but what is given. */
export function openGcs(uri: string, options: OpenGcsOptions = {}): Promise<Store> {
  return gcs.open({ uri, settings: options.settings ?? {}, secrets: options.secrets ?? {} });
}

const WRONG = 'ya29.a-token-of-nobody';

/** A new bucket of the server as the root of a testbed. */
export async function gcsTestbed(google: FakeGcs, bucket: string): Promise<Testbed> {
  await google.createBucket(bucket);
  const gate = await startGate(google.port);
  return {
    address: { host: '127.0.0.1', port: google.port },
    secrets: [WRONG],
    open: ({ at = '', via, wrongCredentials = false }: OpenOptions = {}) =>
      openGcs(`gs://${bucket}/${at}`, {
        settings: wrongCredentials
          ? { CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE: gate.url }
          : {
              // Half of Google's libraries take it without a scheme.
              STORAGE_EMULATOR_HOST: via ? `${via.host}:${via.port}` : google.endpoint,
            },
        secrets: wrongCredentials ? { CLOUDSDK_AUTH_ACCESS_TOKEN: WRONG } : {},
      }),
    openNowhere: () =>
      openGcs('gs://no-such-bucket/', { settings: { STORAGE_EMULATOR_HOST: google.endpoint } }),
    seed: (seeds) =>
      inLanes(seeds, (seed) =>
        'folder' in seed
          ? google.putObject(bucket, `${seed.path}/`, '')
          : google.putObject(bucket, seed.path, Buffer.from(seed.bytes)),
      ),
    stop: async () => {
      await gate.stop();
      await google.stop();
    },
  };
}
