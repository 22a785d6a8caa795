/** `waybill ls store://`: the projects of a server, and the artifacts, feature sets and vectors of one. */
import type { CallOptions, CatalogueLine, StoreAddress } from '../store.js';
import { ARTIFACT_PREFIXES } from './reference.js';
import type { ProjectReference } from './reference.js';
import { keyOfRecord, nextPageOf, readList, readRecord } from './record.js';
import type { MlrunRecord } from './record.js';
import { mlrunError } from './errors.js';
import { openRest } from './rest.js';
import type { MlrunRest, Query, Question } from './rest.js';

type Signal = AbortSignal | undefined;

/** Artifacts in the order of their keys; of each the tags. */
export async function* listProject(
  address: StoreAddress,
  { project, prefix }: ProjectReference,
  { signal }: CallOptions,
): AsyncIterable<CatalogueLine> {
  const rest = openRest(address);
  try {
    if (project === undefined) {
      yield* projects(rest, signal);
      return;
    }
    const isOfArtifacts = prefix === undefined || ARTIFACT_PREFIXES.some((one) => one === prefix);
    if (isOfArtifacts) yield* artifacts(rest, project, prefix, signal);
    for (const kind of ['feature-sets', 'feature-vectors'] as const) {
      if (prefix === undefined || prefix === kind) yield* features(rest, project, kind, signal);
    }
  } finally {
    await rest.client.close();
  }
}

async function* projects(rest: MlrunRest, signal: Signal): AsyncIterable<CatalogueLine> {
  const question = about('projects', signal);
  const answer = await rest.get('v1/projects', { format: 'name_only' }, question);
  for (const name of readList(answer, 'projects')) {
    if (typeof name === 'string')
      yield { uri: `store://${name}`, kind: 'project', note: 'project' };
  }
}

async function* artifacts(
  rest: MlrunRest,
  project: string,
  prefix: string | undefined,
  signal: Signal,
): AsyncIterable<CatalogueLine> {
  const route = `v1/projects/${encodeURIComponent(project)}`;
  const found: MlrunRecord[] = [];
  // Of a project that is not there a list of its artifacts is empty.
  await rest.get(route, {}, about(`project ${project}`, signal));
  for await (const record of all(rest, `${route}/artifacts`, 'artifacts', signal))
    found.push(record);
  const lines = found.flatMap((record) => {
    const line = artifactLine(project, record);
    return prefix === undefined || line.prefix === prefix ? [line] : [];
  });
  const seen = new Set<string>();
  for (const { uri, kind, note } of lines.sort((a, b) => (a.uri < b.uri ? -1 : 1))) {
    if (!seen.has(uri)) yield { uri, kind, note };
    seen.add(uri);
  }
}

const PREFIX_OF: Readonly<Record<string, string>> = {
  model: 'models',
  dataset: 'datasets',
  document: 'documents',
};

function artifactLine(project: string, record: MlrunRecord): CatalogueLine & { prefix: string } {
  const { kind, metadata } = record;
  const prefix = PREFIX_OF[kind] ?? 'artifacts';
  const { iter, tag, tree } = metadata;
  const numbered = iter === undefined || iter === 0 ? '' : `#${iter}`;
  const key = keyOfRecord(record);
  const version = numbered + (tag === undefined ? `@${tree ?? ''}` : `:${tag}`);
  const updated = metadata.updated?.slice(0, 16).replace('T', ' ') ?? '';
  return {
    uri: `store://${prefix}/${project}/${key}${version}`,
    kind: kind === '' ? 'artifact' : kind,
    note: `${kind === '' ? 'artifact' : kind} ${updated}`.trimEnd(),
    prefix,
  };
}

async function* features(
  rest: MlrunRest,
  project: string,
  kind: 'feature-sets' | 'feature-vectors',
  signal: Signal,
): AsyncIterable<CatalogueLine> {
  const route = `v1/projects/${encodeURIComponent(project)}/${kind}`;
  for await (const { metadata, status } of all(rest, route, kind.replace('-', '_'), signal)) {
    const targets = (status.targets ?? []).map(({ kind: of }) => of ?? '').join(', ');
    yield {
      uri: `store://${kind}/${project}/${metadata.name ?? ''}${metadata.tag === undefined ? '' : `:${metadata.tag}`}`,
      kind: kind === 'feature-sets' ? 'feature-set' : 'feature-vector',
      note: `${kind === 'feature-sets' ? 'feature set' : 'feature vector'}${targets === '' ? '' : ` (${targets})`}`,
    };
  }
}

/** All pages; a token that comes twice is an error (rule 24). */
async function* all(
  rest: MlrunRest,
  route: string,
  field: string,
  signal: Signal,
): AsyncIterable<MlrunRecord> {
  const question = about(field.replace('_', ' '), signal);
  const seen = new Set<string>();
  // Of features every tag is listed anyhow, and none by this word.
  let query: Query = field === 'artifacts' ? { tag: '*' } : {};
  for (;;) {
    const answer = await rest.get(route, query, question);
    for (const one of readList(answer, field)) {
      if (typeof one === 'object' && one !== null) yield readRecord(one, field);
    }
    const token = nextPageOf(answer);
    if (token === undefined) return;
    if (seen.has(token)) {
      const message = `the listing of ${field} repeats itself: its page token came twice`;
      throw mlrunError('WB_UNAVAILABLE', message, { operation: 'list', retryable: false });
    }
    seen.add(token);
    query = { 'page-token': token };
  }
}

function about(what: string, signal: Signal): Question {
  return { operation: 'list', what, ...(signal === undefined ? {} : { signal }) };
}
