/**
 * What an activity tells of itself in a heartbeat. It is sent every second and kept by Temporal for each pending
 * activity, so the names are short and all of it stays under 1 KiB (rule 29).
 */
export interface Beat {
  /** Phase of the unit. */
  readonly p: string;
  /** The file at hand, cut. */
  readonly n: string;
  /** Files done, files in all. */
  readonly f: number;
  readonly F: number;
  /** Bytes done, bytes in all. */
  readonly b: number;
  readonly B: number;
  /** Most bytes done in any attempt: an attempt that gets past it has made progress. */
  readonly h: number;
  /** When something last arrived, in any attempt: Unix milliseconds of Temporal's clock. */
  readonly l?: number;
  /** Attempts in a row that failed by themselves without progress. */
  readonly t: number;
  /** Attempts that ended with wrong bytes. */
  readonly m: number;
  /** Connections that this worker may have at the source now. */
  readonly c?: number;
  /** The last decisions about them, the latest first: when (ISO 8601), and the sentence, cut. */
  readonly d?: readonly (readonly [time: string, text: string])[];
}
