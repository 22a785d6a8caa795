/** What a service that is being started tells the command that starts it, over the child-process channel. */
import * as z from 'zod';

const startReportSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('progress'), line: z.string() }),
  /** The control socket answers. */
  z.strictObject({ type: z.literal('up') }),
  /** Another service was there first, and answers. */
  z.strictObject({ type: z.literal('joined') }),
  z.strictObject({
    type: z.literal('failed'),
    error: z.object({ code: z.string(), message: z.string() }).loose(),
  }),
]);

export type StartReport = z.infer<typeof startReportSchema>;

/** Reads a report; undefined if it is none. */
export function parseStartReport(value: unknown): StartReport | undefined {
  return startReportSchema.safeParse(value).data;
}
