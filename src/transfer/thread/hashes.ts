/** Digests of a stream of bytes, all of them in one pass. */
import { createHash, hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import {
  crc32 as wasmCrc32,
  crc64 as wasmCrc64,
  createCRC32,
  createCRC64,
  type IHasher,
} from 'hash-wasm';
import type { DigestName, Digests } from '../../model/object-entry.js';
import { Md5OfCrcsDigest, parseMd5OfCrcs } from './md5-of-crcs.js';

/** Reflected polynomials of Castagnoli (RFC 3720) and of NVM Express, as hash-wasm takes them. */
const CASTAGNOLI = 0x82f63b78;
const NVME = '9a6c9329ac4bc9b5';

interface RunningDigest {
  update(chunk: Uint8Array): void;
  hex(): string;
}

function fromCrypto(name: string): RunningDigest {
  const hash = createHash(name);
  return { update: (chunk) => void hash.update(chunk), hex: () => hash.digest('hex') };
}

function fromZlibCrc32(): RunningDigest {
  let value = 0;
  return {
    update: (chunk) => {
      value = crc32(chunk, value);
    },
    hex: () => value.toString(16).padStart(8, '0'),
  };
}

function fromWasm(hasher: IHasher): RunningDigest {
  hasher.init();
  return { update: (chunk) => void hasher.update(chunk), hex: () => hasher.digest('hex') };
}

/**
 * What is to be computed: the name of a digest, and behind a colon what else has to be known for it, as its values have it in
 * front: `md5crc:crc32c/512/134217728`.
 */
export type DigestSpec = Exclude<DigestName, 'md5crc'> | `md5crc:${string}`;

async function start(spec: DigestSpec): Promise<RunningDigest> {
  switch (spec) {
    case 'sha256':
    case 'sha1':
    case 'md5':
      return fromCrypto(spec);
    case 'crc32':
      return fromZlibCrc32();
    case 'crc32c':
      return fromWasm(await createCRC32(CASTAGNOLI));
    case 'crc64nvme':
      return fromWasm(await createCRC64(NVME));
    default:
      return fromHdfs(spec.slice(MD5CRC.length));
  }
}

const MD5CRC = 'md5crc:';

/** The value says how it was computed. */
async function fromHdfs(shape: string): Promise<RunningDigest> {
  const running = await Md5OfCrcsDigest.start(parseMd5OfCrcs(shape));
  return { update: (chunk) => running.update(chunk), hex: () => `${shape}/${running.hex()}` };
}

function nameOf(spec: DigestSpec): DigestName {
  return isPlain(spec) ? spec : 'md5crc';
}

function isPlain(spec: DigestSpec): spec is Exclude<DigestName, 'md5crc'> {
  return !spec.startsWith(MD5CRC);
}

/** Several digests that are fed the same bytes. */
export class DigestSet {
  private constructor(private readonly running: ReadonlyMap<DigestName, RunningDigest>) {}

  /** Starts these digests; SHA-256 is always among them. */
  static async start(specs: Iterable<DigestSpec>): Promise<DigestSet> {
    const wanted = new Set<DigestSpec>(['sha256', ...specs]);
    const running = new Map<DigestName, RunningDigest>();
    for (const spec of wanted) running.set(nameOf(spec), await start(spec));
    return new DigestSet(running);
  }

  update(chunk: Uint8Array): void {
    for (const digest of this.running.values()) digest.update(chunk);
  }

  /** Ends all digests; lowercase hex. May be called once. */
  finish(): Digests & { sha256: string } {
    const digests: Digests = {};
    for (const [name, digest] of this.running) digests[name] = digest.hex();
    return { ...digests, sha256: digests.sha256 ?? '' };
  }
}

/** These digests of bytes that are all there; SHA-256 is always among them. */
export async function digestsOf(
  specs: Iterable<DigestSpec>,
  bytes: Uint8Array,
): Promise<Digests & { sha256: string }> {
  const digests: Digests & { sha256: string } = { sha256: hash('sha256', bytes) };
  for (const name of specs) {
    if (name === 'sha1' || name === 'md5') digests[name] = hash(name, bytes);
    else if (name === 'crc32') digests.crc32 = crc32(bytes).toString(16).padStart(8, '0');
    else if (name === 'crc32c') digests.crc32c = await wasmCrc32(bytes, CASTAGNOLI);
    else if (name === 'crc64nvme') digests.crc64nvme = await wasmCrc64(bytes, NVME);
    else if (!isPlain(name)) {
      const running = await start(name);
      running.update(bytes);
      digests.md5crc = running.hex();
    }
  }
  return digests;
}

/** What has to be computed so that it can be compared with these values, in a fixed order. */
export function digestSpecs(...sets: readonly (Digests | undefined)[]): DigestSpec[] {
  const specs = new Map<DigestName, DigestSpec>();
  for (const set of sets) {
    for (const [name, value] of Object.entries(set ?? {}) as [DigestName, string][]) {
      const spec = name === 'md5crc' ? (`${MD5CRC}${shapeOf(value)}` as const) : name;
      if (!specs.has(name)) specs.set(name, spec);
    }
  }
  return [...specs.values()].sort();
}

/** `crc32c/512/134217728/HEX` without the hex. */
function shapeOf(value: string): string {
  return value.slice(0, value.lastIndexOf('/'));
}
