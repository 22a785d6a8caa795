/** The end of an error message: what a server has in the place of what was not found. Help, not an inventory. */
import type { Reference } from './reference.js';
import { keyOfRecord, readList, readRecord } from './record.js';
import type { MlrunRecord } from './record.js';
import type { MlrunRest, Query, Question } from './rest.js';

const MAX_NAMED = 12;

type Signal = AbortSignal | undefined;

/** A sentence; '' where the server does not tell. */
export async function whatThereIs(
  rest: MlrunRest,
  reference: Reference & { readonly project: string },
  signal: Signal,
): Promise<string> {
  const { kind, project, key } = reference;
  const projects = await listOf(rest, 'v1/projects', { format: 'name_only' }, 'projects', signal);
  const names = projects.filter((one): one is string => typeof one === 'string');
  if (names.length > 0 && !names.includes(project)) {
    return `there is no project ${project}; there is ${few(names)}`;
  }
  const base = `v1/projects/${encodeURIComponent(project)}/`;
  const [route, field] =
    kind === 'artifact' ? ['artifacts', 'artifacts'] : [kind, kind.replace('-', '_')];
  const same = records(
    await listOf(rest, base + route, kind === 'artifact' ? { tag: '*' } : {}, field, signal),
  ).filter((one) => keyOfRecord(one) === key);
  if (same.length > 0) return `there is ${few([...new Set(same.map(spell))])}`;
  const all = records(
    await listOf(rest, base + route, kind === 'artifact' ? { tag: 'latest' } : {}, field, signal),
  );
  const keys = [...new Set(all.map(keyOfRecord))].filter((one) => one !== '');
  if (keys.length === 0) return `project ${project} has none`;
  return `project ${project} has ${few(keys)}`;
}

/** How to ask for this one. */
function spell(record: MlrunRecord): string {
  const { iter, tag, tree } = record.metadata;
  const numbered = iter === undefined || iter === 0 ? '' : `#${iter}`;
  const version = tag === undefined ? `@${tree ?? ''}` : `:${tag}`;
  return keyOfRecord(record) + numbered + version;
}

function records(list: readonly unknown[]): MlrunRecord[] {
  return list.flatMap((one) =>
    typeof one === 'object' && one !== null ? [readRecord(one, 'the list')] : [],
  );
}

async function listOf(
  rest: MlrunRest,
  route: string,
  query: Query,
  field: string,
  signal: Signal,
): Promise<readonly unknown[]> {
  const question: Question = {
    operation: 'resolve',
    what: field,
    ...(signal === undefined ? {} : { signal }),
  };
  const result = await rest.tryGet(route, query, question);
  return result.refused === undefined ? readList(result.value, field) : [];
}

function few(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMED).join(', ');
  return names.length > MAX_NAMED ? `${shown} and ${names.length - MAX_NAMED} more` : shown;
}
