/** What this client believes (rule 1): with a key, only what the owner of the state folder has signed. */
import type { Client, WorkflowHandle } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { randomUUID } from 'node:crypto';
import { EncryptingCodec } from '../codec/encrypting-codec.js';
import { SigningCodec } from '../codec/signing-codec.js';
import { WaybillError } from '../model/errors.js';
import { isUnsigned } from '../model/unsigned.js';
import type { PullMemo, SignalWord } from '../workflows/messages.js';

function codecsOf(client: Client): readonly unknown[] {
  return client.options.loadedDataConverter.payloadCodecs;
}

function codecOf(client: Client): SigningCodec | undefined {
  return codecsOf(client).find((codec) => codec instanceof SigningCodec);
}

/** Whether this client signs. */
export function isSigning(client: Client): boolean {
  return codecOf(client) !== undefined;
}

/** A value as it came; WB_TEMPORAL_UNREACHABLE for one that is not signed. */
export function trusted<T>(value: T): T {
  if (!isUnsigned(value)) return value;
  throw new WaybillError(
    'WB_TEMPORAL_UNREACHABLE',
    'what answers is not the Temporal of this Waybill: its answer is not signed with the key of the state folder; ' +
      'run `waybill doctor`',
    { operation: 'ask Temporal' },
  );
}

/** Asks a workflow. Throws as `trusted`. */
export async function queryTrusted<T>(handle: WorkflowHandle, query: string): Promise<T> {
  return trusted(await handle.query<T>(query));
}

/** A described or listed workflow, as far as it is read here. */
interface Described {
  readonly memo?: Record<string, unknown> | undefined;
}

/** Whether a pull was started by the owner of the state folder; on a cluster: always. */
export function isOwn(client: Client, { memo }: Described): boolean {
  return !isSigning(client) || typeof memo?.['requestFingerprint'] === 'string';
}

/** The memo of a pull; empty fields where it has none. WB_NOT_FOUND for a pull of somebody else. */
export function memoOf(client: Client, described: Described): PullMemo {
  if (!isOwn(client, described)) {
    throw new WaybillError('WB_NOT_FOUND', 'this pull was not started by you: it is not signed', {
      scope: 'request',
    });
  }
  const text = (key: string): string => {
    const value = described.memo?.[key];
    return typeof value === 'string' ? value : '';
  };
  const workFingerprint = text('workFingerprint');
  return {
    source: text('source'),
    destination: text('destination'),
    requestFingerprint: text('requestFingerprint'),
    ...(workFingerprint === '' ? {} : { workFingerprint }),
  };
}

/** What goes with a signal so that it holds for one run, once; nothing on a cluster. */
export async function signalWord(
  client: Client,
  handle: WorkflowHandle,
  runId?: string,
): Promise<SignalWord[]> {
  if (!isSigning(client)) return [];
  const run = runId ?? (await handle.describe()).runId;
  return [{ run, nonce: randomUUID() }];
}

/** A payload of an activity, as Temporal's own record has it; the stand-in of an unsigned one where that is due. */
export function openPayload(
  client: Client,
  payload: Payload | undefined,
  place: { readonly workflowId: string; readonly activityId: string },
): Payload | undefined {
  if (payload === undefined) return payload;
  const { namespace } = client.options;
  const context = { type: 'activity', namespace, isLocal: false, ...place } as const;
  const signed = codecOf(client)?.open(payload, context) ?? payload;
  const encrypting = codecsOf(client).find((codec) => codec instanceof EncryptingCodec);
  return encrypting?.open(signed) ?? signed;
}
