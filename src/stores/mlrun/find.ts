/** Finds what a reference means at the server, by whichever version of its API it has. */
import { WaybillError } from '../../model/errors.js';
import { errorOfAnswer, isUnknownRoute, mlrunError } from './errors.js';
import { readRecord } from './record.js';
import type { MlrunRecord } from './record.js';
import type { ArtifactReference, FeatureReference, Reference } from './reference.js';
import type { MlrunRest, Question } from './rest.js';
import { whatThereIs } from './what-there-is.js';

/** What was found. */
export interface Found {
  readonly reference: Reference & { readonly project: string };
  readonly record: MlrunRecord;
  /** The link that led there, where the record is the best of several iterations. */
  readonly link?: MlrunRecord;
  readonly api: 'v1' | 'v2';
}

type InProject<T extends Reference> = T & { readonly project: string };
type Signal = AbortSignal | undefined;

/** Finds it. What is not there is WB_NOT_FOUND, with what there is. */
export async function findRecord(
  rest: MlrunRest,
  asked: Reference,
  signal: Signal,
): Promise<Found> {
  const reference = { ...asked, project: asked.project ?? rest.config.defaultProject };
  try {
    return reference.kind === 'artifact'
      ? await findArtifact(rest, reference, signal)
      : await findFeatures(rest, reference, signal);
  } catch (error) {
    if (!(error instanceof WaybillError) || error.code !== 'WB_NOT_FOUND') throw error;
    const there = await whatThereIs(rest, reference, signal);
    const message = there === '' ? error.message : `${error.message}; ${there}`;
    throw mlrunError('WB_NOT_FOUND', message, {
      operation: 'resolve',
      scope: 'source',
      cause: error,
    });
  }
}

async function findArtifact(
  rest: MlrunRest,
  reference: InProject<ArtifactReference>,
  signal: Signal,
): Promise<Found> {
  const first = await readArtifact(rest, reference, signal);
  const { record } = first;
  if (record.kind !== 'link') return { reference, ...first };
  const { link_iteration, link_key, link_tree } = record.spec;
  const tree = link_tree ?? reference.tree;
  const linked = {
    ...reference,
    key: link_key ?? reference.key,
    iter: link_iteration ?? 0,
    ...(tree === undefined ? {} : { tree }),
  };
  const second = await readArtifact(rest, linked, signal);
  if (second.record.kind !== 'link') return { reference: linked, ...second, link: record };
  const message = `artifact ${reference.key} is a link that leads to a link`;
  throw mlrunError('WB_NOT_FOUND', message, { operation: 'resolve', scope: 'source' });
}

async function readArtifact(
  rest: MlrunRest,
  reference: InProject<ArtifactReference>,
  signal: Signal,
): Promise<{ record: MlrunRecord; api: 'v1' | 'v2' }> {
  const { project, key, iter = 0, tag, tree, uid } = reference;
  const question = about(`artifact ${nameOf(reference)}`, signal);
  const route = `projects/${encodeURIComponent(project)}/artifacts/${encodeURIComponent(key)}`;
  const isPinned = tree !== undefined || uid !== undefined;
  const common = { iter: String(iter), format: 'full' };
  const newer = {
    ...common,
    tag: tag ?? (isPinned ? undefined : 'latest'),
    tree,
    'object-uid': uid,
  };
  let result = await rest.tryGet(`v2/${route}`, newer, question);
  if (result.refused !== undefined && isUnknownRoute(result.refused)) {
    // The first API has one slot for a tag and for what made it; the second says more.
    const older = { ...common, tag: tree ?? tag ?? 'latest' };
    const value = await rest.get(`v1/${route}`, older, question);
    return { record: checked(readRecord(value, question.what), reference), api: 'v1' };
  }
  // Up to 1.5 the address of an artifact had its producer's id in the place of the tag.
  if (result.refused?.status === 404 && tag !== undefined && !isPinned && isId(tag)) {
    const byTree = await rest.tryGet(`v2/${route}`, { ...common, tree: tag }, question);
    if (byTree.refused === undefined) result = byTree;
  }
  if (result.refused !== undefined) throw errorOfAnswer(result.refused, question, rest.config);
  return { record: checked(readRecord(result.value, question.what), reference), api: 'v2' };
}

/** A server that has no slot for a tree or a uid answers with something else. */
function checked(record: MlrunRecord, reference: InProject<ArtifactReference>): MlrunRecord {
  const { tree, uid } = record.metadata;
  const wrong =
    reference.tree !== undefined && tree !== undefined && tree !== reference.tree
      ? `the one that is there was made by ${tree}`
      : reference.uid !== undefined && uid !== reference.uid
        ? `the server answers with ${uid === undefined ? 'one that has no uid: it is older than MLRun 1.8' : `^${uid}`}`
        : undefined;
  if (wrong === undefined) return record;
  const message = `there is no artifact ${nameOf(reference)}: ${wrong}`;
  throw mlrunError('WB_NOT_FOUND', message, { operation: 'resolve', scope: 'source' });
}

async function findFeatures(
  rest: MlrunRest,
  reference: InProject<FeatureReference>,
  signal: Signal,
): Promise<Found> {
  const { kind, project, key, tag, uid } = reference;
  const id = uid ?? tag ?? 'latest';
  const noun = kind === 'feature-sets' ? 'feature set' : 'feature vector';
  const question = about(`${noun} ${project}/${key}:${id}`, signal);
  const route = `v1/projects/${encodeURIComponent(project)}/${kind}/${encodeURIComponent(key)}/references/${encodeURIComponent(id)}`;
  const value = await rest.get(route, {}, question);
  return { reference, record: readRecord(value, question.what), api: 'v1' };
}

function isId(text: string): boolean {
  return /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(text);
}

function nameOf({ project, key, iter = 0, tag, tree, uid }: InProject<ArtifactReference>): string {
  const named = tag ?? (tree === undefined && uid === undefined ? 'latest' : undefined);
  return (
    `${project}/${key}${iter === 0 ? '' : `#${iter}`}${named === undefined ? '' : `:${named}`}` +
    `${tree === undefined ? '' : `@${tree}`}${uid === undefined ? '' : `^${uid}`}`
  );
}

function about(what: string, signal: Signal): Question {
  return { operation: 'resolve', what, ...(signal === undefined ? {} : { signal }) };
}
