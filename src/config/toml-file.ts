/** Reads a waybill.toml: settings by their file key, and the tables `[connections.NAME]`. */
import { readFileSync } from 'node:fs';
import { parse, TomlError } from 'smol-toml';
import * as z from 'zod';
import { errnoOf } from '../model/errno.js';
import { asWaybillError, WaybillError } from '../model/errors.js';
import { nearestOf } from './nearest.js';
import { SETTINGS, type Setting } from './settings.js';
import { variableName } from './variable-name.js';

/** One `[connections.NAME]` table, not yet checked against its store. */
export interface ConnectionTable {
  readonly name: string;
  readonly type: string;
  readonly url?: string;
  /** Patterns of sources that use it without being asked: `s3://ml-*`. */
  readonly match: readonly string[];
  /** Every other key with its value. */
  readonly rest: Readonly<Record<string, string>>;
  /** The file that it stands in. */
  readonly file: string;
  /** That file lies in the working directory and may come from anyone. */
  readonly isProject?: true;
}

/** One `[sites.NAME]` table: what the workers of that site may touch. */
export interface SiteTable {
  readonly name: string;
  /** Folders that they write and read. */
  readonly roots: readonly string[];
  /** Folders that they read too. */
  readonly sourceRoots: readonly string[];
  /** Bytes a second that all its workers may bring together; absent: no limit. */
  readonly maxBytesPerSecond?: number | undefined;
  /** Requests a second that all its workers may send together; absent: no limit. */
  readonly maxRequestsPerSecond?: number | undefined;
  /** The file that it stands in. */
  readonly file: string;
}

/** A configuration file that was read. */
export interface TomlFile {
  readonly path: string;
  /** Setting name to its value as text. */
  readonly values: ReadonlyMap<string, string>;
  readonly connections: readonly ConnectionTable[];
  readonly sites: readonly SiteTable[];
}

const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);

/** A list is what its words are, as in a variable of the environment: folders by `:`, all else by blanks. */
const folders = z.union([scalar, z.array(z.string()).transform((list) => list.join(':'))]);
const words = z.union([scalar, z.array(z.string()).transform((list) => list.join(' '))]);

const connectionSchema = z
  .object({
    type: z.string(),
    url: z.string().optional(),
    match: z.array(z.string()).default([]),
  })
  .catchall(words);

const absolute = z.string().regex(/^\//, 'is no absolute path');
const siteSchema = z.strictObject({
  roots: z.array(absolute).default([]),
  'source-roots': z.array(absolute).default([]),
  'max-bandwidth': scalar.transform(limitBy('max-bandwidth')).optional(),
  'requests-per-second': scalar.transform(limitBy('requests-per-second')).optional(),
});

/** The same words as for the setting of that name. */
function limitBy(name: string): (text: string, context: z.RefinementCtx) => number | undefined {
  return (text, context) => {
    try {
      const value = SETTINGS.find((setting) => setting.name === name)?.parse(text);
      return typeof value === 'number' ? value : undefined;
    } catch (error) {
      context.addIssue(asWaybillError(error).message);
      return undefined;
    }
  };
}

function schemaOf(settings: readonly Setting[]): z.ZodType<Record<string, unknown>> {
  const top: Record<string, z.ZodType> = {};
  const tables: Record<string, Record<string, z.ZodType>> = {};
  for (const { file } of settings) {
    if (file === undefined) continue;
    const [table, key] = file.split('.', 2);
    if (table === undefined) continue;
    if (key === undefined) top[table] = scalar.optional();
    else (tables[table] ??= {})[key] = folders.optional();
  }
  for (const [table, keys] of Object.entries(tables)) {
    top[table] = z.strictObject(keys).optional();
  }
  return z.strictObject({
    ...top,
    connections: z.record(z.string(), connectionSchema).optional(),
    sites: z.record(z.string(), siteSchema).optional(),
  });
}

function invalid(path: string, why: string): WaybillError {
  return new WaybillError('WB_CONFIG_INVALID', `${path}: ${why}`);
}

function describe(issue: z.core.$ZodIssue): string {
  const at = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const keys = issue.keys.map((key) => (at === '' ? key : `${at}.${key}`));
    const ofSite = at.startsWith('sites.') ? Object.keys(siteSchema.shape) : [];
    const site = ofSite.map((key) => `${at}.${key}`);
    const known = [...SETTINGS.flatMap(({ file }) => file ?? []), 'connections', 'sites', ...site];
    const meant = keys.map((key) => {
      const near = nearestOf(key, known);
      return near === undefined ? key : `${key} (did you mean ${near}?)`;
    });
    return `unknown setting ${meant.join(', ')}; docs/configuration.md lists those that exist`;
  }
  return `${at}: ${issue.message}`;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw invalid(path, `cannot be read (${String(code)})`);
  }
}

/** Keys that name where credentials lie; such a file may also say where they are sent, or what is run to get them. */
const NAMES_CREDENTIALS = /_(ENV|FILE)$|^GOOGLE_APPLICATION_CREDENTIALS$|^CLOUDSDK_CONFIG$/;

function checkProjectFile(path: string, file: TomlFile): void {
  for (const { name, isForUserFileOnly } of SETTINGS) {
    if (isForUserFileOnly && file.values.has(name)) {
      throw invalid(path, `${name} cannot be set in a project's file; put it into your own`);
    }
  }
  const [site] = file.sites;
  if (site !== undefined) {
    throw invalid(
      path,
      `sites.${site.name} cannot be set in a project's file; put it into your own`,
    );
  }
  for (const { name, rest } of file.connections) {
    const named = Object.keys(rest).find((key) => NAMES_CREDENTIALS.test(variableName(key)));
    if (named !== undefined) {
      throw invalid(
        path,
        `connections.${name}.${named}: a project's file holds no credentials; put the connection into your own`,
      );
    }
  }
}

/** As they were written: their limits become numbers only once. */
function sitesIn(raw: unknown): unknown {
  return typeof raw === 'object' && raw !== null && 'sites' in raw ? raw.sites : {};
}

function siteOf(name: string, table: z.infer<typeof siteSchema>, file: string): SiteTable {
  const maxBytesPerSecond = table['max-bandwidth'];
  const maxRequestsPerSecond = table['requests-per-second'];
  return {
    name,
    roots: table.roots,
    sourceRoots: table['source-roots'],
    ...(maxBytesPerSecond === undefined ? {} : { maxBytesPerSecond }),
    ...(maxRequestsPerSecond === undefined ? {} : { maxRequestsPerSecond }),
    file,
  };
}

/**
 * Reads a file; undefined if there is none. Unknown keys, wrong types and, in a project's file, credentials and
 * settings that belong to the user are WB_CONFIG_INVALID naming the file and the key.
 */
export function readTomlFile(path: string, kind: 'project' | 'user'): TomlFile | undefined {
  const text = readText(path);
  if (text === undefined) return undefined;
  let raw: unknown;
  try {
    raw = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // The excerpt that follows the first line could show a secret.
    const why = error.message.split('\n', 1)[0] ?? '';
    throw invalid(path, `line ${error.line}, column ${error.column}: ${why}`);
  }
  const parsed = schemaOf(SETTINGS).safeParse(raw);
  if (!parsed.success) throw invalid(path, parsed.error.issues.map(describe).join('; '));
  const values = new Map<string, string>();
  for (const { name, file } of SETTINGS) {
    if (file === undefined) continue;
    const [table = '', key] = file.split('.', 2);
    let found = parsed.data[table];
    if (key !== undefined && typeof found === 'object' && found !== null) {
      found = (found as Record<string, unknown>)[key];
    }
    if (typeof found === 'string') values.set(name, found);
  }
  const tables = z.record(z.string(), connectionSchema).parse(parsed.data['connections'] ?? {});
  const connections = Object.entries(tables).map(([name, table]) => {
    const { type, url, match, ...rest } = table;
    return {
      name,
      type,
      match,
      rest,
      file: path,
      ...(url === undefined ? {} : { url }),
      ...(kind === 'project' ? { isProject: true as const } : {}),
    };
  });
  const sites = Object.entries(z.record(z.string(), siteSchema).parse(sitesIn(raw)));
  const file: TomlFile = {
    path,
    values,
    connections,
    sites: sites.map(([name, table]) => siteOf(name, table, path)),
  };
  if (kind === 'project') checkProjectFile(path, file);
  return file;
}
