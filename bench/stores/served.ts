/** What the table of stores (`npm run trials`) asks of a store: a real server with files in it. */
import type { Contender } from '../lib/case.js';
import type { World } from '../lib/world.js';

/** A server that runs, with an empty root. */
export interface Served {
  /** What a command that reads from it has in its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** The address of a file, or with a slash at its end of a folder, below the root. */
  uri(path: string): string;
  /** Puts a file, or puts another one in its place. */
  put(path: string, bytes: Buffer): Promise<void>;
  /** Puts a folder of this machine (`dir`) there as `path`, where that is quicker than file by file. */
  readonly putFolder?: (path: string, dir: string) => Promise<void>;
  /** Whether the server, or how files get there, can hold a file of this name. Default: every name. */
  readonly canHold?: (name: string) => boolean;
  /** What rclone calls a folder or a file there; absent: rclone does not read it. */
  readonly rclone?: {
    remote(path: string): string;
    readonly env?: Readonly<Record<string, string>>;
  };
  /** The store's own tools, asked to bring a folder (`many/`). */
  readonly tools?: (folder: string, brings: Brings) => Promise<readonly Contender[]>;
}

/** What has to arrive. */
export interface Brings {
  readonly files: number;
  readonly bytes: number;
}

/** A row of the table. To add a store: a file in rows/ with one of these, and a line in rows.ts. */
export interface StoreRow {
  /** As in `waybill stores`. */
  readonly store: string;
  /** The server that stands for the store here. */
  readonly server: string;
  /** Starts it; it ends with the world. */
  serve(world: World): Promise<Served>;
}
