/** Ways to damage bytes. Each answers bytes that differ from what it got. */
import type { Chance } from './random.js';

/** Damages bytes; undefined where these cannot be damaged that way. */
export type Damage = (bytes: Buffer, chance: Chance) => Buffer | undefined;

/** One bit. */
export const flip: Damage = (bytes, chance) => {
  if (bytes.length === 0) return undefined;
  const wrong = Buffer.from(bytes);
  const at = chance.between(0, bytes.length);
  wrong[at] = (wrong[at] ?? 0) ^ (1 << chance.between(0, 8));
  return wrong;
};

/** The end is missing. */
export const truncate: Damage = (bytes, chance) =>
  bytes.length < 2 ? undefined : bytes.subarray(0, chance.between(1, bytes.length));

/** A block of zeros. */
export const zeros: Damage = (bytes, chance) => {
  const size = Math.min(512, bytes.length);
  const at = chance.between(0, bytes.length - size + 1);
  const wrong = Buffer.from(bytes);
  wrong.fill(0, at, at + size);
  return unlike(wrong, bytes);
};

/** Two ranges in each other's place. */
export const swap: Damage = (bytes, chance) => {
  if (bytes.length < 64) return undefined;
  const size = chance.between(8, Math.floor(bytes.length / 4));
  const first = chance.between(0, bytes.length - 2 * size + 1);
  const second = chance.between(first + size, bytes.length - size + 1);
  const wrong = Buffer.from(bytes);
  bytes.copy(wrong, first, second, second + size);
  bytes.copy(wrong, second, first, first + size);
  return unlike(wrong, bytes);
};

/** A range that comes twice, in the place of what follows it. */
export const repeat: Damage = (bytes, chance) => {
  if (bytes.length < 64) return undefined;
  const size = chance.between(8, Math.floor(bytes.length / 3));
  const at = chance.between(0, bytes.length - 2 * size + 1);
  const wrong = Buffer.from(bytes);
  bytes.copy(wrong, at + size, at, at + size);
  return unlike(wrong, bytes);
};

/** Other bytes of the same length, as an earlier version has. */
export const stale: Damage = (bytes, chance) => {
  if (bytes.length === 0) return undefined;
  const wrong = Buffer.from(bytes);
  const key = chance.between(1, 256);
  for (let at = 0; at < wrong.length; at += 1) wrong[at] = (wrong[at] ?? 0) ^ key;
  return wrong;
};

/** One byte more. */
export const extend: Damage = (bytes, chance) =>
  Buffer.concat([bytes, Buffer.from([chance.between(0, 256)])]);

function unlike(wrong: Buffer, bytes: Buffer): Buffer | undefined {
  return wrong.equals(bytes) ? undefined : wrong;
}
