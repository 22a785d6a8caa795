/** Which files a record stands for, and where each lies. */
import { guardPath } from '../../model/object-path.js';
import { mlrunError } from './errors.js';
import type { Found } from './find.js';
import type { FeatureTarget, MlrunRecord } from './record.js';

/** A file, or a folder with all that is below it. */
export interface Member {
  /** Where it lands, relative to the tree; '' for the only one. */
  readonly path: string;
  /** Where it lies, as MLRun says it: a URI, or a path of the machine that logged it. */
  readonly target: string;
  /** What was written down of its bytes when it was logged. */
  readonly sizeBytes?: number;
  readonly sha1?: string;
  /** MLRun writes it mostly: where it is not, nothing is wrong. */
  readonly isOptional?: true;
  /** It is this text, and lies nowhere else. */
  readonly inline?: string;
}

/** MLRun writes what it knows of a model beside its file. */
const MODEL_SPEC = 'model_spec.yaml';

/** Offline data that consists of files. */
const FILE_TARGETS: ReadonlySet<string> = new Set(['parquet', 'csv']);

/** The files of what was found. None is WB_NOT_FOUND; a name that leads out of the tree is WB_UNSAFE_PATH. */
export function membersOf({ reference, record }: Found): readonly Member[] {
  if (reference.kind !== 'artifact') return membersOfFeatures(record, reference.kind);
  if (record.kind === 'model') return membersOfModel(record);
  const { target_path: target, inline } = record.spec;
  if (target) return [{ path: '', target, ...proofOf(record) }];
  if (typeof inline === 'string') return [{ path: '', target: '', inline }];
  throw nothing(`artifact ${reference.key} has no target_path: its bytes were not kept`);
}

/** Size and SHA-1 of what was logged. A size of 0 without a hash is one that nobody knew. */
function proofOf({ metadata, spec }: MlrunRecord): Pick<Member, 'sizeBytes' | 'sha1'> {
  const sha1 = metadata.hash?.toLowerCase();
  const isHash = sha1 !== undefined && /^[0-9a-f]{40}$/.test(sha1);
  const { size } = spec;
  const isSize = size !== undefined && Number.isSafeInteger(size) && size >= 0;
  const isTold = isHash || size !== 0;
  return {
    ...(isHash ? { sha1 } : {}),
    ...(isSize && isTold ? { sizeBytes: size } : {}),
  };
}

function membersOfModel(record: MlrunRecord): readonly Member[] {
  const { target_path: root, model_file: file, model_target_file, extra_data } = record.spec;
  if (!root || !file) {
    throw nothing(
      `model ${record.metadata.key ?? ''} has no ${root ? 'model_file' : 'target_path'}`,
    );
  }
  const members = new Map<string, Member>();
  const add = (member: Member): void => {
    const known = members.get(member.path);
    if (known === undefined) members.set(member.path, member);
    else if (known.target !== member.target) {
      throw mlrunError('WB_NAME_COLLISION', `two files of the model would be ${member.path}`, {
        operation: 'resolve',
        path: member.path,
      });
    }
  };
  const placed = placeOf(root, model_target_file ?? file, undefined);
  const isRenamed = model_target_file !== undefined && model_target_file !== file;
  add({
    ...placed,
    ...(isRenamed ? { path: guardPath(lastOf(file)) } : {}),
    ...proofOf(record),
  });
  for (const [key, value] of Object.entries(extra_data ?? {})) {
    // Anything else is a value, and stands in the record.
    if (typeof value === 'string' && value !== '') add(placeOf(root, value, key));
  }
  if (!members.has(MODEL_SPEC)) {
    add({ ...placeOf(root, MODEL_SPEC, undefined), isOptional: true });
  }
  return [...members.values()];
}

const isAbsolute = (value: string): boolean => /^([a-z][a-z0-9+.-]*:|\/)/i.test(value);

/** A file that a model names: relative to the model's folder, or anywhere. `key`: what the model calls it. */
function placeOf(root: string, value: string, key: string | undefined): Member {
  const folder = root.endsWith('/') ? root : `${root}/`;
  const target = isAbsolute(value) ? value : folder + value;
  if (hasDots(target)) guardPath(value.replace(/^[^/]*:\/*/, '').replace(/^\/+/, ''));
  if (target.startsWith(folder)) {
    return { path: guardPath(target.slice(folder.length).replace(/\/+$/, '')), target };
  }
  // From elsewhere: below the name that the model has for it.
  const name = lastOf(target);
  const path = key === undefined || key === name ? name : `${key}/${name}`;
  return { path: guardPath(path), target };
}

function hasDots(target: string): boolean {
  return target.split('/').some((segment) => segment === '..' || segment === '.');
}

/** The last name of a path or URI. */
export function lastOf(target: string): string {
  const [path = ''] = /^https?:/i.test(target) ? target.split(/[?#]/) : [target];
  return path.replace(/\/+$/, '').split('/').at(-1) ?? '';
}

function membersOfFeatures(record: MlrunRecord, kind: string): readonly Member[] {
  const targets = record.status.targets ?? [];
  const offline = targets.filter(({ kind: of, path }) => path && FILE_TARGETS.has(of ?? ''));
  if (offline.length === 0) {
    const name = record.metadata.name ?? '';
    const has = targets.map(({ name: target, kind: of }) => target ?? of ?? '?').join(', ');
    const how =
      kind === 'feature-vectors'
        ? 'run get_offline_features with target=ParquetTarget(...) first'
        : 'ingest into a Parquet or CSV target first';
    throw nothing(
      `${kind === 'feature-vectors' ? 'feature vector' : 'feature set'} ${name} has no offline data in files ` +
        `(it has ${has === '' ? 'no target' : has}): ${how}`,
    );
  }
  return offline.map((target, index) => ({
    path: offline.length === 1 ? '' : guardPath(target.name || `${target.kind ?? ''}-${index}`),
    target: pathOf(target),
  }));
}

/** Each ingestion writes to a folder of its own. */
function pathOf({ path, run_id }: FeatureTarget): string {
  return (path ?? '')
    .replaceAll('{run_id}/', run_id ? `${run_id}/` : '')
    .replaceAll('{run_id}', run_id ?? '');
}

function nothing(message: string): Error {
  return mlrunError('WB_NOT_FOUND', message, { operation: 'resolve', scope: 'source' });
}
