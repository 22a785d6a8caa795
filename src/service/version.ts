import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** This Waybill's own version, from its package. */
export function readWaybillVersion(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  const parsed: unknown = JSON.parse(text);
  return z.object({ version: z.string() }).parse(parsed).version;
}
