/** What MLRun has written down of an artifact, read leniently: its shape has changed with each release. */
import * as z from 'zod';
import { mlrunError } from './errors.js';

const text = z
  .string()
  .nullish()
  .catch(undefined)
  .transform((value) => value ?? undefined);
const number = z
  .number()
  .nullish()
  .catch(undefined)
  .transform((value) => value ?? undefined);

const Metadata = z.object({
  key: text,
  name: text,
  project: text,
  iter: number,
  tree: text,
  tag: text,
  uid: text,
  hash: text,
  updated: text,
});

const Spec = z.object({
  target_path: text,
  size: number,
  /** The key by which the server knows it: of a run's artifact it has the run's name in front. */
  db_key: text,
  model_file: text,
  model_target_file: text,
  extra_data: z.record(z.string(), z.unknown()).nullish().catch(undefined),
  link_iteration: number,
  link_key: text,
  link_tree: text,
  inline: text,
});

const Target = z.object({ name: text, kind: text, path: text, run_id: text });
const Status = z.object({
  state: text,
  targets: z.array(Target).nullish().catch(undefined),
});

/** An artifact, or a feature set or vector. */
export interface MlrunRecord {
  /** `model`, `dataset`, `link`, ...; '' for a plain artifact of old. */
  readonly kind: string;
  readonly metadata: z.infer<typeof Metadata>;
  readonly spec: z.infer<typeof Spec>;
  readonly status: z.infer<typeof Status>;
  /** As the server said it. */
  readonly said: object;
}

/** A place that holds the offline data of a feature set or vector. */
export type FeatureTarget = z.infer<typeof Target>;

/** Reads a record. The old form has all fields side by side. What is no object is WB_UNAVAILABLE. */
export function readRecord(value: unknown, what: string): MlrunRecord {
  // The first version of the API puts the artifact into an envelope.
  const said = isObject(value) && isObject(value['data']) ? value['data'] : value;
  if (!isObject(said)) throw unknownForm(what);
  const part = (name: string): object => {
    const own = said[name];
    return isObject(own) ? own : said;
  };
  const metadata = Metadata.safeParse(part('metadata'));
  const spec = Spec.safeParse(part('spec'));
  const status = Status.safeParse(isObject(said['status']) ? said['status'] : {});
  if (!metadata.success || !spec.success || !status.success) throw unknownForm(what);
  const { kind } = said;
  return {
    kind: typeof kind === 'string' ? kind : '',
    metadata: metadata.data,
    spec: spec.data,
    status: status.data,
    said,
  };
}

/** The key by which a reference names a record. */
export function keyOfRecord({ metadata, spec }: MlrunRecord): string {
  return spec.db_key ?? metadata.key ?? metadata.name ?? '';
}

/** The list in an answer such as `{"artifacts": [...]}`. */
export function readList(value: unknown, field: string): readonly unknown[] {
  const list: unknown = isObject(value) ? value[field] : undefined;
  return Array.isArray(list) ? (list as unknown[]) : [];
}

/** The token of the next page; undefined: this was the last one. */
export function nextPageOf(value: unknown): string | undefined {
  const pagination: unknown = isObject(value) ? value['pagination'] : undefined;
  const token: unknown = isObject(pagination) ? pagination['page-token'] : undefined;
  return typeof token === 'string' && token !== '' ? token : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unknownForm(what: string): Error {
  const message = `MLRun answered the request for ${what} in a form that Waybill does not know`;
  return mlrunError('WB_UNAVAILABLE', message, { operation: 'resolve', retryable: false });
}
