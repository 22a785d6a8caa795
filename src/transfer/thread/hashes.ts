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

async function start(name: DigestName): Promise<RunningDigest> {
  switch (name) {
    case 'sha256':
    case 'sha1':
    case 'md5':
      return fromCrypto(name);
    case 'crc32':
      return fromZlibCrc32();
    case 'crc32c':
      return fromWasm(await createCRC32(CASTAGNOLI));
    case 'crc64nvme':
      return fromWasm(await createCRC64(NVME));
  }
}

/** Several digests that are fed the same bytes. */
export class DigestSet {
  private constructor(private readonly running: ReadonlyMap<DigestName, RunningDigest>) {}

  /** Starts the named digests; SHA-256 is always among them. */
  static async start(names: Iterable<DigestName>): Promise<DigestSet> {
    const wanted = new Set<DigestName>(['sha256', ...names]);
    const running = new Map<DigestName, RunningDigest>();
    for (const name of wanted) running.set(name, await start(name));
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

/** The named digests of bytes that are all there; SHA-256 is always among them. */
export async function digestsOf(
  names: Iterable<DigestName>,
  bytes: Uint8Array,
): Promise<Digests & { sha256: string }> {
  const digests: Digests & { sha256: string } = { sha256: hash('sha256', bytes) };
  for (const name of names) {
    if (name === 'sha1' || name === 'md5') digests[name] = hash(name, bytes);
    else if (name === 'crc32') digests.crc32 = crc32(bytes).toString(16).padStart(8, '0');
    else if (name === 'crc32c') digests.crc32c = await wasmCrc32(bytes, CASTAGNOLI);
    else if (name === 'crc64nvme') digests.crc64nvme = await wasmCrc64(bytes, NVME);
  }
  return digests;
}

/** The names of the digests in a set of values, in a fixed order. */
export function digestNames(...sets: readonly (Digests | undefined)[]): DigestName[] {
  const names = new Set<DigestName>();
  for (const set of sets) {
    for (const name of Object.keys(set ?? {})) names.add(name as DigestName);
  }
  return [...names].sort();
}
