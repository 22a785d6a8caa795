/**
 * A waybill.toml in the working directory may come with a folder that somebody sent: it may say what a project's sources
 * are, and not where the credentials of the shell go (rule 2).
 */
import { WaybillError } from '../../model/errors.js';
import type { StoreFactory } from '../../stores/store.js';

/** Settings that say where requests go, or who may read them on the way. */
const WHERE =
  /(_URI|_URL|_URL_S3|_ENDPOINT|_OVERRIDES_STORAGE|_AUTHORITY_HOST|_PROXY|_INSECURE_TLS|_IGNORE_TLS|_CA_FILE|_CERT_FILE|_CERT_PATH|_BUNDLE|^MLRUN_DBPATH|^V3IO_API)$/i;

/** Places that get what signs in at hosts of any name, where a reference leads there and a connection lists them. */
const LISTED_HOST = /(^|\s)(s?ftp|ftpe?s|hdfs|viewfs|s?webhdfs|https?):/i;

/** Secrets of the same. */
const FOR_LISTED_HOST = /^(WAYBILL_|SSHPASS$|HADOOP_)/;

type Values = Readonly<Record<string, string>>;

/** What a project's file has said, and what would go along. */
export interface ProjectWord {
  /** The path of the file. */
  readonly file: string;
  /** Settings as the file has them. */
  readonly said: Values;
  /** The same settings as the shell and the user's own file have them. */
  readonly before: Values;
  /** Names of the secrets that would go along: none of them comes from the file. */
  readonly secrets: readonly string[];
  /** The source leads to wherever its registry says. */
  readonly isReference: boolean;
}

/** What a store shows without being given a secret: the login that is found on this machine; empty: nothing that could be misused. */
export function loginsOf({ name, identity }: StoreFactory, settings: Values): string[] {
  if (identity?.isToken !== true) return [];
  const isNobody = Object.entries(identity.none).every(([key, text]) => settings[key] === text);
  return isNobody ? [] : [`the login for ${name} on this machine`];
}

/** Throws WB_CONFIG_INVALID where the file would choose where they go. */
export function refuseProjectWord({ file, said, before, secrets, isReference }: ProjectWord): void {
  const changed = Object.entries(said).filter(([key, text]) => before[key] !== text);
  const listed = changed.find(
    ([key, text]) => key === 'WAYBILL_PREFIXES' && LISTED_HOST.test(text),
  );
  const forListed = secrets.filter((secret) => isReference && FOR_LISTED_HOST.test(secret));
  const where = changed.find(([key]) => WHERE.test(key));
  const [name, value] = where ?? (forListed.length > 0 ? listed : undefined) ?? [];
  if (name === undefined || secrets.length === 0) return;
  throw new WaybillError(
    'WB_CONFIG_INVALID',
    `${file} sets ${name} to ${value ?? ''}, and a project's file does not choose where the credentials of this shell go ` +
      `(${secrets.join(', ')}): if you trust it, say so with ${name} in the environment, ` +
      'with --tracking-uri, or with a connection in your own waybill.toml; else unset them',
  );
}
