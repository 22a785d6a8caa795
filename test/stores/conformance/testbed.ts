/** What the conformance suite asks of the folder that tests a store. */
import type { Store, StoreCapabilities } from '../../../src/stores/store.js';

/** A file, or an empty folder where the service has real ones. */
export type Seed =
  | { readonly path: string; readonly bytes: Uint8Array }
  | { readonly path: string; readonly folder: true };

/** Where a TCP service listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** How a store is opened for one test. */
export interface OpenOptions {
  /** Path below the testbed's root that the store's root is: a folder or a single file. Default: the root. */
  readonly at?: string;
  /** Connect to this address instead of the service's own: a proxy that makes faults, or a port without a server. */
  readonly via?: Address;
  /** Beside `via`: in the places of `alsoAt`. */
  readonly viaAlso?: readonly Address[];
  /** Use credentials that the service refuses. */
  readonly wrongCredentials?: boolean;
}

/** A running service with an empty root that belongs to one suite. */
export interface Testbed {
  /** The service's own address; absent where no network is involved. */
  readonly address?: Address;
  /** Where else it listens, as for data: faults are made there too. */
  readonly alsoAt?: readonly Address[];
  /** Strings that no error message may hold. */
  readonly secrets?: readonly string[];
  /** Opens a store. The suite closes it. */
  open(options?: OpenOptions): Promise<Store>;
  /** Opens a store on a container, bucket or share that the service does not have. */
  openNowhere?(): Promise<Store>;
  /** Puts files below the root, by the service's own means; an existing file is replaced, with a new pin. */
  seed(seeds: readonly Seed[]): Promise<void>;
  /** Ends the service. */
  stop(): Promise<void>;
}

/** What the suite has to know before anything runs, to pick its cases. */
export interface StoreTraits {
  /** Must equal what an opened store declares. */
  readonly capabilities: StoreCapabilities;
  /** What this testbed's service does where the capabilities say `unknown`. */
  readonly serves?: { readonly ranges?: 'yes' | 'no'; readonly pin?: 'strong' | 'weak' | 'none' };
  /** The code for a wrong credential; absent where the service has none. */
  readonly wrongCredentials?: readonly ('WB_UNAUTHENTICATED' | 'WB_PERMISSION_DENIED')[];
  /** What the error of a wrong credential names: the variable or file that was used, and what to set. */
  readonly wrongCredentialsSay?: RegExp;
  /** What the error of a container, bucket or share says that is not there, where the testbed can open one. */
  readonly nowhereSays?: RegExp;
  /** Whether the service, or how it is seeded, can hold a file of this name. Default: every name. */
  readonly canHold?: (name: string) => boolean;
  /** Whether an empty folder exists at the service. Default false. */
  readonly hasEmptyFolders?: boolean;
  /** Files in the folder that has more than one page. Default 1,005; fewer where the service has no pages. */
  readonly manyFiles?: number;
  /** Whether the service is reached over TCP, so that a proxy can make faults. Default true. */
  readonly hasNetwork?: boolean;
  /** Whether the suite also runs through Toxiproxy. Default: where there is a network; false for a second server of the same kind. */
  readonly goesThroughToxics?: boolean;
  /** `via` stands before some of its connections, not before all: a fault there need not break every call. */
  readonly breaksInPart?: true;
  /** Longest name of one segment, in bytes. Default 255. */
  readonly longestNameBytes?: number;
}

/** One suite over one store. */
export interface ConformanceSpec {
  /** The store's name in the registry, and in the test titles. */
  readonly name: string;
  readonly traits: StoreTraits;
  setup(): Promise<Testbed>;
}

/** Whether ranges are honoured here. */
export function servesRanges({ serves, capabilities }: StoreTraits): boolean {
  return (serves?.ranges ?? capabilities.ranges) === 'yes';
}

/** The strength of the pins here; `unknown` where it differs by file. */
export function servedPin({ serves, capabilities }: StoreTraits): StoreCapabilities['pin'] {
  return serves?.pin ?? capabilities.pin;
}
