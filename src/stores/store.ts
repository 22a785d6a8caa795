/**
 * The contract of a store: a place that artifacts are read from. The comments are the specification; the
 * conformance suite (`test/stores/conformance.ts`) holds every store to them.
 *
 * A store never retries, knows nothing of Temporal, of the destination or of `process.env`, and throws only
 * `WaybillError` (an abort passes through as the signal's reason).
 */
import type { LookAtHost } from '../model/host-files.js';
import type { Readable } from 'node:stream';
import type { Level } from '../model/level.js';
import type { DigestName, Digests, ObjectEntry, Pin } from '../model/object-entry.js';

/** What a store can do. Callers ask; they do not try and catch. */
export interface StoreCapabilities {
  /** `list` works. Without it the source is a single file. */
  readonly canList: boolean;
  /** `openRead` honours `offsetBytes` and `lengthBytes`. `unknown`: the first answer tells. */
  readonly ranges: 'yes' | 'no' | 'unknown';
  /** The strongest pin that entries and answers carry. `unknown`: differs by object. */
  readonly pin: 'strong' | 'weak' | 'none' | 'unknown';
  /** Whether listed sizes are exact. */
  readonly knowsSizes: boolean;
  /** Digests that entries or answers may carry. */
  readonly nativeDigests: readonly DigestName[];
  /** A listing comes in ascending byte order of the path, so that it can be continued after a path. */
  readonly listsInOrder: boolean;
  /**
   * `stat` of a file is one request that moves none of its bytes: where a listing has no pins, it is asked whether a file
   * that is here already has changed.
   */
  readonly describesCheaply?: true;
  /** Connections to the service that are polite at once, over all threads. */
  readonly maxConnections: number;
}

/** Options of every call that waits. When the signal aborts, the call rejects with the signal's reason. */
export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** Options of a look at one object. */
export interface StatOptions extends CallOptions {
  /**
   * Its bytes are wanted next. `true`: digests that the service has to compute are worth the wait, which may be as long as
   * reading the file takes. `cheap`: not those; the entry says in `digestsOnRequest` that there are some.
   */
  readonly wantsDigests?: boolean | 'cheap';
}

/** Options of a listing. */
export interface ListOptions extends CallOptions {
  readonly recursive: boolean;
  /**
   * Asked where a page could not be had: resolves when it is to be asked for once more, rejects with what ends the listing.
   * Absent: the failure does. A store that lists in one go need not ask.
   */
  readonly again?: (error: unknown) => Promise<void>;
  /** How a store that lists files of this host looks at many of them; absent: it does so itself, one by one. */
  readonly lookAtHost?: LookAtHost;
}

/** How a small body is read: waited for, and handed over in one piece. */
export interface Collect {
  /** Of a body that announces more, nothing is collected. */
  readonly maxBytes: number;
  /** Hears of bytes as they come. */
  readonly onBytes?: (count: number) => void;
  /** Gives memory of so many bytes for the body; it is the caller's again as soon as the bytes are used. Default: fresh memory. */
  readonly memoryFor?: (bytes: number) => Buffer;
}

/** What part of an object to read, and which version of it. */
export interface ReadOptions extends CallOptions {
  /** Default 0. */
  readonly offsetBytes?: number;
  /** Default: to the end. */
  readonly lengthBytes?: number;
  /**
   * The version that must be read. Strong: sent as a condition (If-Match, versionId, generation) where the
   * service takes one, and compared with the answer always. A mismatch is WB_SOURCE_CHANGED.
   */
  readonly pin?: Pin;
  /**
   * The answer may come with all of its body in `bytes`. Where the body breaks off, it is a stream after all: of what came, and then
   * the error. A store that cannot do it does not.
   */
  readonly collect?: Collect;
}

/** Raw bytes as a stream. */
export interface ByteBody extends Readable {
  /**
   * Hands every chunk over as it comes, without the stream's buffers: faster for large bodies. A chunk holds for the length of
   * the call only. Called at most once, before anything is read; from then on there is no `data`, but `end`, `error` and `close`
   * as ever. `take` must not throw; it may destroy the body. Absent: `data` it is.
   */
  pour?(take: (chunk: Buffer) => void): void;
}

/** A small object, and which version of it. */
export interface WholeReadOptions {
  readonly maxBytes: number;
  /** As in `Collect`. */
  readonly memoryFor?: (bytes: number) => Buffer;
  readonly pin?: Pin;
}

/** An object, opened. The caller reads `body` to its end or destroys it. */
export interface OpenObject {
  /** Raw bytes of the object, never decoded. Its error events are WaybillErrors where the store can tell. */
  readonly body: ByteBody;
  /** All that `body` would give, where `collect` asked for it; then `body` need be neither read nor destroyed. */
  readonly bytes?: Buffer;
  /**
   * Where in the object the body starts. It is 0 although another offset was asked for when the service ignored
   * the range: the caller restarts, it never appends.
   */
  readonly offsetBytes: number;
  /** How many bytes the body announces (Content-Length or Content-Range); absent: unknown. */
  readonly lengthBytes?: number;
  /** Size of the whole object where the answer says it. */
  readonly sizeBytes?: number;
  readonly pin?: Pin;
  readonly modifiedAt?: string;
  /** Digests of the whole object that this answer carried. */
  readonly digests?: Digests;
  /** They were computed for this answer: they prove the way from the service's disk, and not what was published. */
  readonly areDigestsFresh?: true;
  /** Those of `digests` that a registry wrote down, as in `ObjectEntry`. */
  readonly recordedDigests?: readonly DigestName[];
  /**
   * How the body's end is told (rule 11): `length` (announced and enforced), `framing` (a last chunk or
   * END_STREAM), `close` (the connection's end alone, which a cut looks like too).
   */
  readonly ending: 'length' | 'framing' | 'close';
  /** The service's own clock when it answered, ISO 8601: a weak pin younger than 2 s cannot be trusted (rule 12). */
  readonly answeredAt?: string;
}

/** A small object with all of its bytes. */
export type WholeObject = Omit<OpenObject, 'body' | 'offsetBytes' | 'lengthBytes'> & {
  readonly bytes: Buffer;
  readonly sizeBytes: number;
};

/** An open source. Paths are relative POSIX without leading slash; '' is the root. */
export interface Store {
  /** The store's name in the registry: `s3`, `http`, ... */
  readonly name: string;
  /** The root, without secrets. */
  readonly root: string;
  readonly capabilities: StoreCapabilities;
  /**
   * Describes one object. '' describes the root: `file` where the source is a single file. A prefix that has
   * objects below it is a directory. Missing: WB_NOT_FOUND.
   */
  stat(path: string, options?: StatOptions): Promise<ObjectEntry>;
  /**
   * Lists below a prefix ('' for all): files, folders where the service has real ones, and special things (FIFOs, ...)
   * where the listing shows that they are such, unopened; never the prefix itself. A missing or empty prefix yields WB_NOT_FOUND where the service cannot tell the two apart, else
   * nothing for an empty one. Entries come with whatever the listing answered, without a call per entry. Paths
   * are as the service names them: the caller guards them.
   */
  list(prefix: string, options: ListOptions): AsyncIterable<ObjectEntry>;
  /**
   * Opens an object for reading. Missing: WB_NOT_FOUND. An offset at or past the end: WB_SIZE_MISMATCH.
   * The answer's Content-Range, total and pin were checked when this resolves.
   */
  openRead(path: string, options?: ReadOptions): Promise<OpenObject>;
  /**
   * Reads an object of up to `maxBytes` at once. It blocks, so it is for the threads that move bytes alone, and a store has it
   * where waiting costs more than reading. Undefined: `openRead` does it, or says why it cannot be done.
   */
  readWhole?(path: string, options: WholeReadOptions): WholeObject | undefined;
  /**
   * What a registry knows of the source beside its bytes (who made it, from what, labels, statistics), as JSON: it is kept as
   * `source.json` in what a pull leaves. Absent: nothing.
   */
  describeSource?(options: CallOptions): Promise<string>;
  /** Frees connections. May be called twice. */
  close(): Promise<void>;
}

/** Settings of a connection as a person configures them; never a secret. Keys are the store's own names. */
export type ConnectionSettings = Readonly<Record<string, string>>;

/** Secrets of a connection; they live in memory only and never enter Temporal, a log or a file. */
export type ConnectionSecrets = Readonly<Record<string, string>>;

/** All that is needed to open a store; crosses to worker threads as a structured clone. */
export interface StoreAddress {
  /** Without secrets. */
  readonly uri: string;
  readonly settings: ConnectionSettings;
  readonly secrets: ConnectionSecrets;
  /** Added where a store is opened, for a pull that has limits. */
  readonly pace?: StorePace;
}

/** How fast a store may go. */
export interface StorePace {
  /** Resolves when a request may be sent to a service; rejects with the signal's reason. */
  beforeRequest(signal?: AbortSignal): Promise<void>;
  /** So many bytes may be taken at once. */
  quantumBytes(): number;
  /** Counts bytes that came; resolves when more may be taken. Undefined: at once. */
  afterBytes(count: number): Promise<void> | undefined;
}

/** What a reference points at. */
export interface Resolution {
  /** The storage URI, itself no reference. */
  readonly uri: string;
  /** Storage URIs of other stores that `uri` reads as well or instead: each has to be one that may be read (rule 4). */
  readonly reads?: readonly string[];
  /** The name of the only file, where the reference does not say it. */
  readonly fileName?: string;
  /** Settings that the storage needs beyond those of the reference, e.g. the chosen transport. */
  readonly settings?: ConnectionSettings;
  /** What the reference meant when it was resolved: a model version, a run id. */
  readonly revision?: string;
  /** How the bytes will travel, with the reason, for the receipt: `presigned (server offers it)`. */
  readonly transport?: string;
  /** Other facts for the receipt, e.g. `{modelVersion: '3', runId: '...'}`. */
  readonly facts?: Readonly<Record<string, string>>;
}

/** One thing that a server of models and runs has. */
export interface CatalogueLine {
  /** For `waybill pull`; of a group (an experiment) for `waybill ls`. */
  readonly uri: string;
  /** `model`, `alias`, `run`, `experiment`. */
  readonly kind: string;
  /** A few words: a version, a name, a status. */
  readonly note: string;
}

/** What a store can prove, for `waybill stores` and the README's table: a few words each, and nothing that does not hold. */
export interface StoreFacts {
  /** How its users can sign in, in the order in which it looks; the last may be `none`. */
  readonly auth: readonly string[];
  /** Whether parts of a file can be asked for: `yes`, or where. */
  readonly ranges: string;
  /** How a version is recognised again (rule 12): its strength, and by what. */
  readonly pin: string;
  /** The digests that objects can carry, as in `StoreCapabilities`. */
  readonly digests: readonly DigestName[];
  /** What a file has reached with nothing but what the store itself says: at least, and at best. */
  readonly levels: readonly [weakest: Level, strongest: Level];
}

/** The other stores, for one whose sources lie in them. */
export interface OtherStores {
  /** Whether a store reads URIs of this scheme. */
  hasScheme(scheme: string): boolean;
  open(address: StoreAddress): Promise<Store>;
}

/** How long a store waits for its service before it gives it up (WB_TIMEOUT), in milliseconds. */
export interface Patience {
  /** From a request to the answer. */
  readonly answerMs: number;
  /** Between two pieces of a body. */
  readonly stallMs: number;
}

/** How a store enters the registry. */
export interface StoreFactory {
  readonly name: string;
  /** URI schemes without colon, in lower case. */
  readonly schemes: readonly string[];
  /** One line for `waybill stores`. */
  readonly summary: string;
  /** URI forms for `waybill stores` and the docs. */
  readonly forms: readonly string[];
  readonly facts: StoreFacts;
  /**
   * Environment variables that people of this service have set already, by where they go. The CLI reads them
   * (a store never does): `settings` travel with the request, `secrets` over the credentials socket.
   */
  readonly environment: {
    readonly settings: readonly string[];
    readonly secrets: readonly string[];
    /** The setting that `url` of a connection stands for; absent: a connection of this store has none. */
    readonly url?: string;
  };
  /**
   * How long its stores wait for a service by these settings; absent: no network lies between.
   * @throws WB_CONFIG_INVALID where a setting is no duration
   */
  readonly patience?: (settings: ConnectionSettings) => Patience;
  /** Where the store can use who the machine is: a worker that serves anybody must not (rule 4). */
  readonly identity?: {
    /** Settings that name an identity of the machine, such as a profile or a role. A caller's are refused. */
    readonly settings: readonly string[];
    /** Settings by which the store asks as nobody. */
    readonly none: ConnectionSettings;
    /** It is shown by a token, which serves whoever gets it: nobody but the user says where it goes. */
    readonly isToken?: true;
  };
  /**
   * Where settings can name a place of this machine in the place of a server: `absolute` makes it independent of the working
   * folder (the command line asks), `named` is the setting that does. A worker that serves anybody must not follow it (rule 4).
   */
  readonly placesHere?: {
    readonly absolute: (settings: ConnectionSettings, cwd: string) => ConnectionSettings;
    readonly named: (settings: ConnectionSettings) => string | undefined;
  };
  /**
   * Secrets go to whatever host a URI names: a connection of a worker that has some says what it may read. `always`: it finds
   * keys of the machine where the connection has none.
   */
  readonly secretsGoAnywhere?: 'configured' | 'always';
  /** Whether URIs of this store are references that `resolve` turns into storage URIs. */
  readonly isReference?: (uri: string) => boolean;
  /** Resolves a reference once (worker side). Throws WB_NOT_FOUND, WB_UNAUTHENTICATED, ... */
  readonly resolve?: (
    address: StoreAddress,
    options: CallOptions,
    others?: OtherStores,
  ) => Promise<Resolution>;
  /** Opens a store. Makes no request; a malformed URI is WB_USAGE, a wrong setting WB_CONFIG_INVALID. */
  readonly open: (address: StoreAddress, others?: OtherStores) => Promise<Store>;
  /**
   * What a URL of another scheme means here, such as one copied from a service's page, with the settings that it
   * brings; undefined: nothing. Asked before the URL's own store.
   */
  readonly adoptUrl?: (
    uri: string,
    settings: ConnectionSettings,
  ) => { readonly uri: string; readonly settings: ConnectionSettings } | undefined;
  /**
   * Settings, and secrets, that this service's own tools keep in the home folder. The command line of their owner reads them; a
   * worker that did would hand them to whatever server a request names.
   * @param asked what is known of the source so far, the user in its address included
   */
  readonly settingsAtHome?: (homeDir: string, asked: StoreAddress) => ConnectionSettings;
  readonly secretsAtHome?: (homeDir: string, asked: StoreAddress) => ConnectionSecrets;
  /** Lists what a server has, for URIs such as `models:/`; undefined: the URI asks for no catalogue. */
  readonly listCatalogue?: (
    address: StoreAddress,
    options: CallOptions,
  ) => AsyncIterable<CatalogueLine> | undefined;
  /** The last part of the URI that can name a local folder or file; undefined: none derivable. */
  readonly localName: (uri: string) => string | undefined;
}
