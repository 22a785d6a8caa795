/**
 * The words on the control socket: one JSON object a line, each request answered by one reply with its id.
 * Unknown verbs and unknown fields are refused as WB_VERSION_SKEW, never dropped (rule 9).
 */
import * as z from 'zod';
import { isErrorCode, WaybillError, type PlainError } from '../model/errors.js';

/** Rises when an older side must not go on. */
export const CONTROL_PROTOCOL = 2;

/** A line longer than this closes the connection. */
export const MAX_LINE_BYTES = 1024 * 1024;

const base = { id: z.number().int().nonnegative(), protocol: z.literal(CONTROL_PROTOCOL) };
const secretsSchema = z.record(z.string().min(1).max(200), z.string().max(64 * 1024));

export const controlRequestSchema = z.discriminatedUnion('verb', [
  /** The words of every version (meeting.ts): they carry no number that an older or newer side could refuse. */
  z.strictObject({ id: base.id, verb: z.literal('meet'), fresh: z.boolean() }),
  /** `fresh`: the worker is asked for its open pulls first. */
  z.strictObject({ ...base, verb: z.literal('status'), fresh: z.boolean() }),
  z.strictObject({ ...base, verb: z.literal('put-credentials'), secrets: secretsSchema }),
  z.strictObject({
    ...base,
    verb: z.literal('get-credentials'),
    fingerprint: z.string().regex(/^[0-9a-f]{64}$/u),
  }),
  z.strictObject({ ...base, verb: z.literal('hold') }),
  z.strictObject({ ...base, verb: z.literal('release') }),
  z.strictObject({ ...base, verb: z.literal('keep'), on: z.boolean() }),
  z.strictObject({ id: base.id, protocol: z.int().positive(), verb: z.literal('stop') }),
]);

export type ControlRequest = z.infer<typeof controlRequestSchema>;

const childSchema = z.strictObject({
  pid: z.number().int().positive().optional(),
  state: z.enum(['starting', 'ready', 'restarting', 'stopped']),
  /** How often it was started again after it died. */
  restarts: z.number().int().nonnegative(),
  /** How it ended the last time: `exit code 1`, `signal SIGKILL`. */
  lastExit: z.string().optional(),
});

export const serviceStatusSchema = z.strictObject({
  waybillVersion: z.string(),
  build: z.string(),
  mode: z.enum(['background', 'inline']),
  startedAt: z.string(),
  stateDir: z.string(),
  address: z.string(),
  uiAddress: z.string(),
  servicePid: z.number().int().positive(),
  temporal: childSchema,
  worker: childSchema.extend({ identity: z.string().optional() }),
  temporalCli: z.string(),
  serverVersion: z.string(),
  /** Connections that hold the service, the asking one included if it does. */
  clients: z.number().int().nonnegative(),
  /** Open, unpaused pulls; absent when the worker has not said so lately. */
  openPulls: z.number().int().nonnegative().optional(),
  /** `waybill up`: no idling out. */
  isKept: z.boolean(),
  idleAfterMs: z.number().nonnegative(),
  isStopping: z.boolean(),
});

/** What the service says of itself. */
export type ServiceStatus = z.infer<typeof serviceStatusSchema>;

export const fingerprintReplySchema = z.strictObject({ fingerprint: z.string() });
export const secretsReplySchema = z.strictObject({ secrets: secretsSchema });

const plainErrorSchema = z.object({ code: z.string(), message: z.string() });

export const controlReplySchema = z.discriminatedUnion('ok', [
  z.strictObject({ id: z.number(), ok: z.literal(true), result: z.unknown() }),
  z.strictObject({ id: z.number(), ok: z.literal(false), error: plainErrorSchema.loose() }),
]);

/** A reply as it is written. */
export type ControlReply =
  | { readonly id: number; readonly ok: true; readonly result: unknown }
  | { readonly id: number; readonly ok: false; readonly error: PlainError };

/** The error that a reply tells of. */
export function replyError(error: {
  readonly code: string;
  readonly message: string;
  readonly stack?: unknown;
}): WaybillError {
  const code = isErrorCode(error.code) ? error.code : 'WB_UNEXPECTED';
  const made = new WaybillError(code, error.message, { operation: 'ask the service' });
  // Where it was thrown over there says more than where it was read here.
  if (typeof error.stack === 'string') made.stack = error.stack;
  return made;
}
