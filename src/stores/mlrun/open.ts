/** Opens the record that was resolved. */
import type { OtherStores, Store, StoreAddress } from '../store.js';
import { findRecord } from './find.js';
import { parseLocation } from './location.js';
import { membersOf } from './members.js';
import { Places } from './places.js';
import { formatReference } from './reference.js';
import { checkSeal, noteOf } from './resolve.js';
import { openRest } from './rest.js';
import { MlrunStore } from './store.js';

/** Makes no request: the record is read when it is first needed. */
export function openRecord(address: StoreAddress, others: OtherStores): Store {
  const { reference, seal, proxied } = parseLocation(address.uri);
  const rest = openRest(address);
  const places = new Places({ rest, project: reference.project, others, proxied, address });
  return new MlrunStore({
    uri: address.uri,
    places,
    load: async (signal) => {
      const found = await findRecord(rest, reference, signal);
      const members = membersOf(found);
      const asked = formatReference(reference);
      checkSeal(members, seal, asked);
      return { members, note: noteOf(found, rest.config.server, asked) };
    },
    close: async () => {
      await Promise.all([places.close(), rest.client.close()]);
    },
  });
}
