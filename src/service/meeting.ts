/**
 * How two versions of Waybill meet (rule 9). The words `meet` and `stop` keep their shape in every version, so that
 * any command can tell which service runs, whether it has work, and end it; all other words are for equals.
 */
import * as z from 'zod';
import { HISTORY_FORMAT } from '../model/histories.js';
import { PROTOCOL } from '../model/pull.js';
import { CONTROL_PROTOCOL } from './control-protocol.js';

/** Which numbers two sides must share to work together. */
export interface Numbers {
  /** Of the control socket. */
  readonly control: number;
  /** Of requests and replies of pulls. */
  readonly request: number;
  /** Of what is in the database. */
  readonly histories: number;
}

/** This version's own numbers. */
export const OWN_NUMBERS: Numbers = {
  control: CONTROL_PROTOCOL,
  request: PROTOCOL,
  histories: HISTORY_FORMAT,
};

const count = z.int().nonnegative();

/** What any service says of itself. What a later version adds is not for this one, and is ignored on purpose. */
export const meetingSchema = z.object({
  waybillVersion: z.string(),
  build: z.string(),
  control: count,
  request: count,
  histories: count,
  servicePid: z.int().positive(),
  /** Connections that hold the service. */
  clients: count,
  /** Open, unpaused pulls; absent when the worker has not said so. */
  openPulls: count.optional(),
  isKept: z.boolean(),
  isStopping: z.boolean(),
});

/** A service of any version, as far as any other version can know it. */
export type Meeting = z.infer<typeof meetingSchema>;

/** The status of the first release, which has no word for meeting: the same facts under other names. */
const firstReleaseSchema = meetingSchema
  .omit({ build: true, control: true, request: true, histories: true })
  .transform((status) => ({
    ...status,
    build: 'unknown',
    control: 1,
    request: 1,
    histories: 1,
  }));

/** Reads the answer to `meet`; undefined if it is none. */
export function readMeeting(value: unknown): Meeting | undefined {
  return meetingSchema.safeParse(value).data;
}

/** Reads the status of a service of the first release. */
export function readFirstRelease(value: unknown): Meeting | undefined {
  return firstReleaseSchema.safeParse(value).data;
}

/** Whether a command of this version can use the service. */
export function isCompatible(met: Numbers): boolean {
  return (
    met.control === OWN_NUMBERS.control &&
    met.request === OWN_NUMBERS.request &&
    met.histories === OWN_NUMBERS.histories
  );
}

/** Whether nothing of the service is in use. What is not known counts as in use. */
export function isIdle(met: Meeting): boolean {
  return met.clients === 0 && met.openPulls === 0;
}

/** `1 pull is running`, `2 commands use it`: why a service is not simply replaced. */
export function occupationText({ openPulls, clients }: Meeting): string {
  if (openPulls === undefined) return 'whether a pull is running is not known';
  if (openPulls === 1) return '1 pull is running';
  if (openPulls > 1) return `${openPulls} pulls are running`;
  return clients === 1 ? '1 command uses it' : `${clients} commands use it`;
}
