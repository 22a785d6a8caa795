/** What sealing needs of a line of the journal, read without parsing it: of a million files there are a million. */
import { encodeManifestLine, type ManifestEntry } from '../manifest/index.js';
import { MD5CRC } from '../manifest/plain-entry.js';
import { LEVELS } from '../model/level.js';
import type { DigestName } from '../model/object-entry.js';
import { parseLine } from './journal-lines.js';
import type { PublishedFile } from './line-fits.js';

/** A file in place, as the record will name it. */
export interface FetchedFacts {
  readonly planId: string;
  readonly entry: PublishedFile & Pick<ManifestEntry, 'sha256' | 'level' | 'pin' | 'readBack'>;
  readonly bytesFetched: number;
  /** Its line of the manifest, without a line feed. */
  readonly line: string;
}

const TEXT = '"([^"\\\\]*)"';
/** The pin of an ETag has quotes in it. */
const QUOTED = '"((?:[^"\\\\]|\\\\")*)"';
/** What a store said of a file, in the order of a manifest line. */
const VALUES = {
  sha256: '[0-9a-f]{64}',
  sha1: '[0-9a-f]{40}',
  md5: '[0-9a-f]{32}',
  crc32: '[0-9a-f]{8}',
  crc32c: '[0-9a-f]{8}',
  crc64nvme: '[0-9a-f]{16}',
  md5crc: MD5CRC.source.replace(/^\^|\$$/g, ''),
} as const satisfies Record<DigestName, string>;
const PAIRS = Object.entries(VALUES)
  .map(([name, value]) => `(?:"${name}":"${value}"(?:,(?=")|(?=\\})))?`)
  .join('');
const NAMES = `(?:"(?:${Object.keys(VALUES).join('|')})"(?:,(?=")|(?=\\])))*`;
const NUMBER = '(-?\\d+)';

/** A fetched line as this release writes it: its entry has the order of a manifest line, and is one. */
const USUAL = new RegExp(
  `^\\{"kind":"fetched","planId":${TEXT},"entry":(\\{"path":${TEXT},"sizeBytes":(\\d+),` +
    `"sha256":"([0-9a-f]{64})","level":"(${LEVELS.join('|')})"` +
    `(?:,"pin":\\{"strength":"(strong|weak)","value":${QUOTED}\\})?` +
    `(?:,"modifiedAt":${TEXT})?(?:,"isExecutable":(?:true|false))?` +
    `(?:,"expectedFrom":"[^"\\\\]*")?(?:,"providerDigests":\\{${PAIRS}\\})?` +
    `,"comparedDigests":\\[${NAMES}\\],"attempts":\\d+,` +
    `"local":\\{"mtimeNs":"${NUMBER}","ctimeNs":"${NUMBER}","inode":"${NUMBER}"\\}\\}),"bytesFetched":(\\d+)\\}$`,
);

/** The facts of a fetched line whose sum is right; undefined for any other line. */
export function factsOf(text: string): FetchedFacts | undefined {
  return factsOfUsual(text) ?? factsOfParsed(text);
}

/** Those of a line as this release writes it, but for rare names and a file that was read back. */
export function factsOfUsual(text: string): FetchedFacts | undefined {
  const usual = USUAL.exec(text);
  if (usual === null) return undefined;
  const [, planId = '', line = '', path = '', size, sha256 = '', level, strength, value] = usual;
  const [, mtimeNs = '', , inode = '', bytesFetched] = usual.slice(9);
  const pin =
    value === undefined
      ? {}
      : {
          pin: {
            strength: strength === 'strong' ? ('strong' as const) : ('weak' as const),
            value: value.replaceAll('\\"', '"'),
          },
        };
  return {
    planId,
    line,
    bytesFetched: Number(bytesFetched),
    entry: {
      path,
      sizeBytes: Number(size),
      sha256,
      level: level as ManifestEntry['level'],
      local: { mtimeNs, inode },
      ...pin,
    },
  };
}

/** Those of any other. */
export function factsOfParsed(text: string): FetchedFacts | undefined {
  const line = parseLine(text);
  if (line?.kind !== 'fetched') return undefined;
  const { planId, entry, bytesFetched } = line;
  return { planId, entry, bytesFetched, line: encodeManifestLine(entry).trimEnd() };
}

/** What a list is made of beside the line itself. */
export type ListedEntry = Pick<
  ManifestEntry,
  'path' | 'sizeBytes' | 'sha256' | 'level' | 'isStale'
>;

const LISTED = new RegExp(
  `^\\{"path":${TEXT},"sizeBytes":(\\d+),"sha256":"([0-9a-f]{64})","level":"(${LEVELS.join('|')})",`,
);

/** The facts of a manifest line that this process has made. */
export function listedEntryOf(line: string): ListedEntry {
  const [, path, size, sha256, level] = LISTED.exec(line) ?? [];
  // The marks of a stale file stand at the end.
  if (path === undefined || sha256 === undefined || line.endsWith(':true}')) {
    return JSON.parse(line) as ManifestEntry;
  }
  return { path, sizeBytes: Number(size), sha256, level: level as ManifestEntry['level'] };
}
