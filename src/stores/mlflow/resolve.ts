/** References turned into places: which run or model is meant, where its files lie, and how they will travel. */
import { redactUri } from '../../model/artifact-uri.js';
import type { CallOptions, Resolution, StoreAddress } from '../store.js';
import { joinPath } from '../lib/join-path.js';
import { openParts } from './parts.js';
import { isOnDisk } from './places.js';
import { serverTracking } from './server-tracking.js';
import { targetOf } from './target.js';
import type { Target } from './target.js';
import { chooseTransport } from './transport.js';
import type { Chosen } from './transport.js';

/** Resolves a reference. Throws WB_NOT_FOUND, WB_UNAUTHENTICATED, ...; nothing is fetched but a byte, as a probe. */
export async function resolveReference(
  address: StoreAddress,
  { signal }: CallOptions,
): Promise<Resolution> {
  if (isOnDisk(address.settings)) {
    const { openOnDisk, chooseOnDisk } = await import('./on-disk/index.js');
    const opened = await openOnDisk(address);
    try {
      const target = await targetOf(opened.tracking, address.uri, signal);
      return resolutionOf(target, await chooseOnDisk(opened, target));
    } finally {
      opened.close();
    }
  }
  const parts = openParts(address);
  try {
    const target = await targetOf(serverTracking(parts.rest), address.uri, signal);
    const chosen = await chooseTransport(parts, target, signal);
    return resolutionOf(target, {
      ...chosen,
      settings: { MLFLOW_TRACKING_URI: parts.rest.config.trackingUri, ...chosen.settings },
    });
  } finally {
    await parts.close();
  }
}

/** A target with the way that its bytes will travel. */
function resolutionOf(target: Target, chosen: Chosen): Resolution {
  const warnings = [...target.warnings, ...chosen.warnings];
  return {
    uri: chosen.uri,
    settings: chosen.settings,
    transport: chosen.transport,
    ...(target.revision === undefined ? {} : { revision: target.revision }),
    facts: {
      ...target.facts,
      artifactUri: joinPath(redactUri(target.artifactUri).replace(/\/+$/, ''), target.path),
      ...(warnings.length === 0 ? {} : { warning: warnings.join('; ') }),
    },
  };
}
