/** `store://` references, in every form that MLRun has written. */
import { WaybillError } from '../../model/errors.js';

/** The kinds that a reference can name by its first segment. */
export const ARTIFACT_PREFIXES = [
  'artifacts',
  'models',
  'datasets',
  'documents',
  'llm-prompts',
] as const;
const FEATURE_PREFIXES = ['feature-sets', 'feature-vectors'] as const;

export type FeatureKind = (typeof FEATURE_PREFIXES)[number];

/** An artifact: a file, a folder, a model, a data set. */
export interface ArtifactReference {
  readonly kind: 'artifact';
  /** As written, or `artifacts`. */
  readonly prefix: string;
  /** Absent: the default project. */
  readonly project?: string;
  readonly key: string;
  readonly iter?: number;
  readonly tag?: string;
  /** The run, or the producer, that made it. */
  readonly tree?: string;
  readonly uid?: string;
}

/** A feature set or a feature vector: its offline data. */
export interface FeatureReference {
  readonly kind: FeatureKind;
  readonly project?: string;
  readonly key: string;
  readonly tag?: string;
  readonly uid?: string;
}

/** All of a project, to be listed. */
export interface ProjectReference {
  readonly kind: 'project';
  /** Only these, where the reference says which. */
  readonly prefix?: string;
  /** Absent: every project. */
  readonly project?: string;
}

export type Reference = ArtifactReference | FeatureReference;

function refuse(uri: string, why: string): WaybillError {
  return new WaybillError(
    'WB_USAGE',
    `${uri} is no MLRun reference: ${why}; write store://[<kind>/][<project>/]<key>[#iter][:tag][@tree][^uid]`,
    { operation: 'resolve', store: 'mlrun' },
  );
}

/** `store://kind/rest`, its kind told apart; a first segment that is no kind belongs to the rest. */
function splitKind(uri: string): { prefix: string | undefined; rest: string } {
  const [, path = ''] = /^store:\/*(.*)$/is.exec(uri) ?? [];
  const trimmed = path.replace(/\/+$/, '');
  const at = trimmed.indexOf('/');
  const first = at < 0 ? trimmed : trimmed.slice(0, at);
  const isKind = isPrefix(first);
  if (!isKind) return { prefix: undefined, rest: trimmed };
  return { prefix: first, rest: at < 0 ? '' : trimmed.slice(at + 1) };
}

function isPrefix(text: string): boolean {
  const all: readonly string[] = [...ARTIFACT_PREFIXES, ...FEATURE_PREFIXES];
  return all.includes(text);
}

function isFeatureKind(text: string | undefined): text is FeatureKind {
  return FEATURE_PREFIXES.some((kind) => kind === text);
}

// MLRun's own pattern, with the uid that it has had since 1.8.
const ARTIFACT =
  /^(?:(?<project>.*)\/)?(?<key>[^#:@^/]*?)(?:#(?<iter>[^:@^]*))?(?::(?<tag>[^@^]*))?(?:@(?<tree>[^^]*))?(?:\^(?<uid>.*))?$/s;

/** Reads a reference. What is none is WB_USAGE. */
export function parseReference(uri: string): Reference {
  const { prefix, rest } = splitKind(uri);
  const groups = ARTIFACT.exec(rest)?.groups;
  const { project, key = '', iter, tag, tree, uid } = groups ?? {};
  if (groups === undefined || key === '') throw refuse(uri, 'it names no key');
  const segments = [...(project === undefined ? [] : [project]), key];
  // They become parts of addresses.
  if (segments.some((one) => one === '' || one.includes('/') || /^\.{1,2}$/.test(one))) {
    throw refuse(uri, 'a project and a key are one name each');
  }
  const own = project === undefined ? {} : { project };
  const named = tag === undefined || tag === '' ? {} : { tag };
  if (isFeatureKind(prefix)) {
    if (iter !== undefined) throw refuse(uri, 'feature sets and vectors have no iterations');
    const id = tree ?? uid;
    return { kind: prefix, ...own, key, ...named, ...(id === undefined ? {} : { uid: id }) };
  }
  if (iter !== undefined && !/^\d{1,9}$/.test(iter)) {
    throw refuse(uri, 'the iteration behind # is a number');
  }
  return {
    kind: 'artifact',
    prefix: prefix ?? 'artifacts',
    ...own,
    key,
    ...(iter === undefined ? {} : { iter: Number(iter) }),
    ...named,
    ...(tree === undefined || tree === '' ? {} : { tree }),
    ...(uid === undefined || uid === '' ? {} : { uid }),
  };
}

/**
 * What a URI asks to list: `store://` every project, `store://project` (no key behind it) or `store://models/project/` a
 * project; undefined: it names one thing.
 */
export function projectOf(uri: string): ProjectReference | undefined {
  if (!/^store:/i.test(uri)) return undefined;
  const { prefix, rest } = splitKind(uri);
  if (rest === '') return { kind: 'project', ...(prefix === undefined ? {} : { prefix }) };
  const endsOpen = uri.endsWith('/');
  const isOneName = !/[/#:@^]/.test(rest);
  if (!isOneName || (prefix !== undefined && !endsOpen)) return undefined;
  return { kind: 'project', project: rest, ...(prefix === undefined ? {} : { prefix }) };
}

/** A reference as it is written in full. */
export function formatReference(reference: Reference & { readonly project: string }): string {
  const { project, key, tag, uid } = reference;
  const named = tag === undefined ? '' : `:${tag}`;
  if (reference.kind !== 'artifact') {
    return `store://${reference.kind}/${project}/${key}${named}${uid === undefined ? '' : `@${uid}`}`;
  }
  const { prefix, iter, tree } = reference;
  const numbered = iter === undefined ? '' : `#${iter}`;
  const made = tree === undefined ? '' : `@${tree}`;
  return `store://${prefix}/${project}/${key}${numbered}${named}${made}${uid === undefined ? '' : `^${uid}`}`;
}
