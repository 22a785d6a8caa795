/** Fields of records: YAML and SQLite know numbers and nothing where MLflow's interface has text and absence. */
import * as z from 'zod';

export const text = z.union([
  z.string(),
  z.number().transform(String),
  z.bigint().transform(String),
]);
export const optionalText = text.nullish().transform((value) => value ?? undefined);
export const optionalTime = z.union([z.number(), z.bigint().transform(Number)]).nullish();

/** `LoggedModelStatus`, which both keep as a number. */
const MODEL_STATUS = ['', 'PENDING', 'READY', 'UPLOAD_FAILED'];

/** `RunStatus`, which YAML keeps as a number. */
const RUN_STATUS = ['', 'RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED'];

/** The name of a status, if there is one. */
export function statusOf(kind: 'run' | 'model', kept: string | undefined): { status?: string } {
  const names = kind === 'run' ? RUN_STATUS : MODEL_STATUS;
  const status = names[Number(kept)] ?? kept;
  return status ? { status } : {};
}
