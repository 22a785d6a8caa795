/** `service.json`: which processes make up the service of a state folder, and where they answer. */
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { processIdentitySchema } from './process-identity.js';
import { writePrivateFile } from './service-files.js';

const workerSchema = processIdentitySchema.extend({
  /** Its Temporal identity, once it polls: whoever comes next hands back what it held. */
  identity: z.string().optional(),
});

const serviceRecordSchema = z.object({
  /** The processes keep their place in every version: whoever comes next has to end them (rule 8). */
  v: z.int().positive(),
  waybillVersion: z.string(),
  build: z.string().optional(),
  mode: z.enum(['background', 'inline']),
  /** ISO 8601, for display. */
  startedAt: z.string(),
  service: processIdentitySchema,
  temporal: processIdentitySchema.optional(),
  worker: workerSchema.optional(),
  /** The identity of the last worker that polled; kept after it died. */
  previousIdentity: z.string().optional(),
  address: z.string(),
  uiAddress: z.string(),
  controlSocket: z.string(),
  temporalCli: z.string(),
  serverVersion: z.string(),
  database: z.string(),
});

export type ServiceRecord = z.infer<typeof serviceRecordSchema>;

/** Reads the record; undefined when there is none, or it is not one that this version understands. */
export function readServiceRecord(path: string): ServiceRecord | undefined {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return serviceRecordSchema.safeParse(parsed).data;
  } catch {
    return undefined;
  }
}

/** Replaces the record, mode 0600. */
export function writeServiceRecord(path: string, record: ServiceRecord): void {
  writePrivateFile(path, `${JSON.stringify(record, null, 2)}\n`);
}
