/** The list of stores, and how a URI finds its own. */
import { schemeOf } from '../model/artifact-uri.js';
import { WaybillError } from '../model/errors.js';
import { STORE_FACTORIES } from './index.js';
import type {
  CallOptions,
  CatalogueLine,
  ConnectionSettings,
  Resolution,
  Store,
  StoreAddress,
  StoreFactory,
} from './store.js';

/** Finds and opens stores by scheme. */
export class StoreRegistry {
  private readonly byScheme = new Map<string, StoreFactory>();

  constructor(readonly factories: readonly StoreFactory[] = STORE_FACTORIES) {
    for (const factory of factories) {
      for (const scheme of factory.schemes) this.byScheme.set(scheme, factory);
    }
  }

  /** The factory of a URI. An unknown scheme is WB_UNSUPPORTED. */
  factoryOf(uri: string): StoreFactory {
    const scheme = schemeOf(uri);
    const factory = this.byScheme.get(scheme);
    if (factory) return factory;
    const known = [...this.byScheme.keys()].join(', ');
    throw new WaybillError('WB_UNSUPPORTED', `no store reads ${scheme}: (Waybill reads ${known})`, {
      operation: 'open',
    });
  }

  /** Whether a store reads URIs of this scheme. */
  hasScheme(scheme: string): boolean {
    return this.byScheme.has(scheme.toLowerCase());
  }

  /** Whether a URI is a reference that has to be resolved before it can be opened. */
  isReference(uri: string): boolean {
    return this.factoryOf(uri).isReference?.(uri) ?? false;
  }

  /** Resolves a reference. Throws WB_UNEXPECTED if the URI is none. */
  async resolve(address: StoreAddress, options: CallOptions = {}): Promise<Resolution> {
    const factory = this.factoryOf(address.uri);
    if (!factory.resolve) {
      throw new WaybillError('WB_UNEXPECTED', `${factory.name} has no references to resolve`);
    }
    return factory.resolve(address, options, this);
  }

  /** What a URL means to a store of another scheme, e.g. one copied from MLflow's page; undefined: nothing. */
  adoptUrl(
    uri: string,
    settings: ConnectionSettings,
  ): { readonly uri: string; readonly settings: ConnectionSettings } | undefined {
    for (const factory of this.factories) {
      const adopted = factory.adoptUrl?.(uri, settings);
      if (adopted) return adopted;
    }
    return undefined;
  }

  /** Lists what a server has, for URIs such as `models:/`; undefined: the URI asks for no catalogue. */
  listCatalogue(
    address: StoreAddress,
    options: CallOptions = {},
  ): AsyncIterable<CatalogueLine> | undefined {
    return this.factoryOf(address.uri).listCatalogue?.(address, options);
  }

  /** Opens the store of a URI. */
  async open(address: StoreAddress): Promise<Store> {
    return this.factoryOf(address.uri).open(address, this);
  }
}
