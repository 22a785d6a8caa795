/** The key file of the encryption: one key a line, `NAME BASE64`; the first encrypts, the others only read (rotation). */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { WaybillError } from '../model/errors.js';

const KEY_BYTES = 32;

/** A name goes with every payload, and a summary for Temporal's pages has few bytes left. */
const KEY_ID = /^[A-Za-z0-9._-]{1,16}$/;

/** The keys of a file. */
export interface PayloadKeys {
  readonly file: string;
  readonly current: { readonly id: string; readonly key: Buffer };
  readonly all: ReadonlyMap<string, Buffer>;
}

function wrong(path: string, why: string): WaybillError {
  return new WaybillError(
    'WB_CONFIG_INVALID',
    `the payload keys ${path} ${why}; make a key with: (umask 077; echo "key1 $(openssl rand -base64 32)" > ${path})`,
  );
}

/** Reads them. WB_CONFIG_INVALID for a file that is missing, that others can read or write, or that is no list of keys. */
export function readPayloadKeys(path: string): PayloadKeys {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw wrong(path, `cannot be read (${String((error as { code?: unknown }).code)})`);
  }
  try {
    const found = fstatSync(file);
    if (!found.isFile()) throw wrong(path, 'is no file');
    if ((found.mode & 0o077) !== 0) {
      throw wrong(path, 'can be read or written by others: chmod 600');
    }
    return parse(path, readFileSync(file, 'utf8'));
  } finally {
    closeSync(file);
  }
}

function parse(path: string, text: string): PayloadKeys {
  const all = new Map<string, Buffer>();
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\s*(#.*)?$/.test(line)) continue;
    const [id = '', encoded = '', ...rest] = line.trim().split(/\s+/);
    const key = Buffer.from(encoded, 'base64');
    const isKey = KEY_ID.test(id) && rest.length === 0 && key.length === KEY_BYTES;
    // The line itself may hold a key.
    if (!isKey) throw wrong(path, `line ${index + 1} is not NAME BASE64-OF-32-BYTES`);
    if (all.has(id)) throw wrong(path, `line ${index + 1} has the name ${id} again`);
    all.set(id, key);
  }
  const [first] = all;
  if (first === undefined) throw wrong(path, 'has no key');
  return { file: path, current: { id: first[0], key: first[1] }, all };
}
