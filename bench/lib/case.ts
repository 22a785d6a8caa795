/**
 * What a case of the benchmark is. To add one: a file in bench/cases/ that exports a `BenchCase`, and a line in
 * bench/cases/index.ts. The harness runs every contender in turn, round after round, and measures.
 */
import type { World } from './world.js';

export interface BenchCase {
  /** `npm run bench -- NAME`. */
  readonly name: string;
  /** One sentence, for the head of the table. */
  readonly what: string;
  /** Folders that the contenders write into: by default one on tmpfs and one on a disk. */
  readonly places?: readonly PlaceName[];
  /** Starts servers and puts data there. What it hands to `world.onEnd` is undone when the case ends or fails. */
  prepare(world: World): Promise<Prepared>;
}

export type PlaceName = 'tmpfs' | 'disk';

/** A case that can be run. */
export interface Prepared {
  readonly contenders: readonly Contender[];
  /** The contender that the others are compared with: the first by default. */
  readonly baseline?: string;
}

/** Where a contender puts what it brings: a new empty folder for each run. */
export interface Target {
  readonly folder: string;
  readonly place: PlaceName;
}

/** A program with its arguments and whole environment. */
export interface Command {
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

export interface Contender {
  readonly name: string;
  /** Why it cannot run here; the table says so, and the others run. */
  readonly missing?: string;
  /** What has to be so before each run; it is not measured. */
  before?(target: Target): Promise<void>;
  /** What is measured, from its start to its exit. Exit 0, or the run has failed. */
  command(target: Target): Command;
  /** After each run, not measured: throws when the run did not do what it was for. */
  after?(target: Target): Promise<void> | void;
  /** Processes that work for the command and live beside it: what they need counts too. Asked before and after. */
  helpers?(): readonly number[];
  /** What must lie in the folder afterwards; records of Waybill do not count. */
  readonly brings?: { readonly files: number; readonly bytes: number };
  /** A second row adds `openssl dgst -sha256` over what it brought: the verification that it does not do. */
  readonly isUnverified?: boolean;
}
