/** How a Temporal cluster is reached: namespace, API key, TLS and profile as every Temporal tool reads them. */
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { ClientOptions } from './types.js';
import { readPayloadKeys } from '../codec/payload-keys.js';
import type { TemporalChoice } from '../config.js';
import { WaybillError } from '../model/errors.js';

/** Options of a connection to the chosen cluster. An unusable Temporal profile or TLS file is WB_CONFIG_INVALID. */
export function clusterOptions(choice: TemporalChoice & { kind: 'cluster' }): ClientOptions {
  const { payloadKeysFile } = choice;
  const encryption =
    payloadKeysFile === undefined ? {} : { encryption: readPayloadKeys(payloadKeysFile) };
  try {
    const { connectionOptions, namespace } = loadClientConnectConfig();
    const { tls, apiKey, metadata } = connectionOptions;
    const chosen = choice.namespace ?? namespace;
    return {
      address: choice.address,
      ...encryption,
      ...(chosen === undefined ? {} : { namespace: chosen }),
      ...(tls === undefined || tls === null ? {} : { tls }),
      ...(typeof apiKey === 'string' ? { apiKey } : {}),
      ...(isTextRecord(metadata) ? { metadata } : {}),
    };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new WaybillError('WB_CONFIG_INVALID', `the Temporal configuration is wrong: ${why}`, {
      cause: error,
    });
  }
}

function isTextRecord(value: unknown): value is Record<string, string> {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((item) => typeof item === 'string')
  );
}
