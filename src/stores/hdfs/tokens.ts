/** Files of delegation tokens, as `hdfs fetchdt` and YARN write them, and which of the tokens is for whom. */
import { lookup } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { errnoOf } from '../../model/errno.js';
import type { NameService } from './name-service.js';
import { invalid } from './invalid.js';

/** A token. */
export interface HadoopToken {
  readonly identifier: Buffer;
  readonly password: Buffer;
  readonly kind: string;
  /** Whom it is for: `ha-hdfs:ns1`, `10.0.0.1:8020`; may be empty. */
  readonly service: string;
}

/** Tokens that a name node takes over HTTP. */
const KINDS = /^(HDFS_DELEGATION_TOKEN|S?WEBHDFS delegation)$/;

/** Reads a file. One that cannot be read, or is of another kind, is WB_CONFIG_INVALID. */
export async function readTokenFile(path: string): Promise<HadoopToken[]> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw invalid(
      `HADOOP_TOKEN_FILE_LOCATION names ${path}, which cannot be read (${String(errnoOf(cause))})`,
    );
  }
  const tokens = parseTokens(bytes);
  if (tokens !== undefined) return tokens;
  throw invalid(`HADOOP_TOKEN_FILE_LOCATION names ${path}, which is no file of Hadoop tokens`);
}

/** The token for one of these services, as a name node wants it in an address. None: WB_CONFIG_INVALID that lists those there are. */
export async function tokenFor(
  tokens: readonly HadoopToken[],
  services: readonly NameService[],
  path: string,
): Promise<string> {
  const usable = tokens.filter(({ kind }) => KINDS.test(kind));
  const names = new Set(services.flatMap(({ services: all }) => all));
  const found =
    usable.find(({ service }) => names.has(service)) ?? (await byAddress(usable, names));
  if (found !== undefined) return urlStringOf(found);
  const there = tokens.map(({ kind, service }) => `${kind} for ${service}`).join(', ') || 'none';
  throw invalid(
    `${path} (HADOOP_TOKEN_FILE_LOCATION) has no token for ${services.map(({ name }) => name).join(', ')}: it has ${there}`,
  );
}

/** Hadoop makes tokens out to addresses, unless hadoop.security.token.service.use_ip says otherwise. */
async function byAddress(
  tokens: readonly HadoopToken[],
  names: ReadonlySet<string>,
): Promise<HadoopToken | undefined> {
  for (const name of names) {
    const [, host, port] = /^([^:/]+):(\d+)$/.exec(name) ?? [];
    if (host === undefined || port === undefined) continue;
    const addresses = await lookup(host, { all: true }).catch(() => []);
    const found = tokens.find(({ service }) =>
      addresses.some(({ address }) => service === `${address}:${port}`),
    );
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What `Token.encodeToUrlString` of Hadoop gives. */
export function urlStringOf({ identifier, password, kind, service }: HadoopToken): string {
  const parts = [identifier, password, Buffer.from(kind), Buffer.from(service)];
  const written = parts.flatMap((part) => [writtenLength(part.length), part]);
  return Buffer.concat(written).toString('base64url');
}

/** Reads what `Credentials.writeTokenStorageToStream` writes, in both of its forms; undefined: it is something else. */
export function parseTokens(bytes: Buffer): HadoopToken[] | undefined {
  if (bytes.subarray(0, 4).toString('latin1') !== 'HDTS') return undefined;
  try {
    const body = new ByteReader(bytes.subarray(5));
    if (bytes[4] === 0) return writableTokens(body);
    return bytes[4] === 1 ? protobufTokens(body.take(body.varint())) : undefined;
  } catch (error) {
    if (error instanceof CutShort) return undefined;
    throw error;
  }
}

function writableTokens(body: ByteReader): HadoopToken[] {
  const count = body.vint();
  return Array.from({ length: Math.min(count, 10_000) }, () => {
    body.take(body.vint());
    const [identifier, password] = [body.take(body.vint()), body.take(body.vint())];
    const [kind, service] = [body.take(body.vint()), body.take(body.vint())];
    return { identifier, password, kind: kind.toString('utf8'), service: service.toString('utf8') };
  });
}

function protobufTokens(body: Buffer): HadoopToken[] {
  return fieldsOf(body)
    .filter(({ field }) => field === 1)
    .flatMap(({ value }) => fieldsOf(value).filter(({ field }) => field === 2))
    .map(({ value }) => {
      const fields = new Map(fieldsOf(value).map((one) => [one.field, one.value]));
      const at = (field: number): Buffer => fields.get(field) ?? Buffer.alloc(0);
      const [kind, service] = [at(3).toString('utf8'), at(4).toString('utf8')];
      return { identifier: at(1), password: at(2), kind, service };
    });
}

/** The fields of a protobuf message whose fields all have a length. */
function fieldsOf(message: Buffer): { readonly field: number; readonly value: Buffer }[] {
  const reader = new ByteReader(message);
  const fields: { field: number; value: Buffer }[] = [];
  while (!reader.isAtEnd) {
    const key = reader.varint();
    if ((key & 7) !== 2) throw new CutShort();
    fields.push({ field: key >>> 3, value: reader.take(reader.varint()) });
  }
  return fields;
}

/** The bytes end before they should, or make no sense. */
class CutShort extends Error {}

class ByteReader {
  private position = 0;

  constructor(private readonly bytes: Buffer) {}

  get isAtEnd(): boolean {
    return this.position >= this.bytes.length;
  }

  take(length: number): Buffer {
    const end = this.position + length;
    if (length < 0 || end > this.bytes.length) throw new CutShort();
    const taken = this.bytes.subarray(this.position, end);
    this.position = end;
    return taken;
  }

  /** Hadoop's own: `WritableUtils.readVInt`, of which no length is negative. */
  vint(): number {
    const first = this.take(1).readInt8();
    if (first >= -112) return first;
    if (first < -116) throw new CutShort();
    return this.take(-112 - first).readUIntBE(0, -112 - first);
  }

  /** Protobuf's. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.take(1).readUInt8();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new CutShort();
  }
}

function writtenLength(length: number): Buffer {
  if (length <= 127) return Buffer.from([length]);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  const used = bytes.subarray(bytes.findIndex((byte) => byte !== 0));
  return Buffer.concat([Buffer.from([0x100 - 112 - used.length]), used]);
}
