/** Dockerfiles as steps, in the part of the language that this project uses: anything else is an error, never passed over. */

/** One instruction. */
export interface Step {
  readonly keyword: 'RUN' | 'COPY' | 'ENV' | 'WORKDIR' | 'USER' | 'ENTRYPOINT' | 'CMD';
  readonly text: string;
  /** From 1. */
  readonly line: number;
}

/** What follows one FROM. */
export interface Stage {
  readonly image: string;
  /** Empty: the last one, which is the image. */
  readonly name: string;
  readonly steps: readonly Step[];
}

const KEYWORDS = new Set(['RUN', 'COPY', 'ENV', 'WORKDIR', 'USER', 'ENTRYPOINT', 'CMD']);

/** Reads a Dockerfile. */
export function parseDockerfile(text: string): Stage[] {
  const stages: { image: string; name: string; steps: Step[] }[] = [];
  for (const { text: instruction, line } of joinLines(text)) {
    const [, word = '', rest = ''] = /^(\S+)\s+([\s\S]*)$/.exec(instruction) ?? [];
    const keyword = word.toUpperCase();
    const from = /^(\S+)(?:\s+AS\s+(\S+))?$/i.exec(rest);
    if (keyword === 'FROM' && from) {
      stages.push({ image: from[1] ?? '', name: from[2] ?? '', steps: [] });
    } else if (KEYWORDS.has(keyword)) {
      stages.at(-1)?.steps.push({ keyword: keyword as Step['keyword'], text: rest, line });
    } else throw new Error(`Dockerfile:${line}: ${word} is not known here`);
  }
  return stages;
}

/** Joins what a backslash continues; comments go, also those between continued lines. */
function joinLines(text: string): { text: string; line: number }[] {
  const joined: { text: string; line: number }[] = [];
  let open: { text: string; line: number } | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    open ??= { text: '', line: index + 1 };
    const isContinued = line.endsWith('\\');
    open.text += isContinued ? `${line.slice(0, -1)} ` : line;
    if (isContinued) continue;
    joined.push(open);
    open = undefined;
  }
  if (open) throw new Error(`Dockerfile:${open.line}: the instruction does not end`);
  return joined;
}

/** The pairs of an ENV. */
export function pairsOf(text: string): [string, string][] {
  const pairs = [...text.matchAll(/(\w+)=("[^"]*"|\S+)\s*/g)];
  if (pairs.map(([whole]) => whole).join('') !== text)
    throw new Error(`ENV ${text}: not understood`);
  return pairs.map(([, name = '', value = '']) => [name, value.replace(/^"|"$/g, '')]);
}

/** A COPY. */
export interface Copy {
  /** The stage that it takes from; empty: the context. */
  readonly from: string;
  readonly sources: readonly string[];
  readonly target: string;
}

/** Reads a COPY. */
export function copyOf(text: string): Copy {
  const words = text.split(/\s+/);
  const from = words[0]?.startsWith('--from=') === true ? (words.shift() ?? '').slice(7) : '';
  const target = words.pop();
  if (target === undefined || words.length === 0 || words.some((word) => /^--|[*?[]/.test(word))) {
    throw new Error(`COPY ${text}: not understood`);
  }
  if (words.length > 1 && !target.endsWith('/')) throw new Error(`COPY ${text}: no folder`);
  return { from, sources: words, target };
}

/** The paths of a context that a .dockerignore leaves, in the simple form: names and whole folders, the last match wins. */
export function keepContext(paths: readonly string[], ignoreFile: string): string[] {
  const rules = ignoreFile.split('\n').filter((rule) => rule !== '' && !rule.startsWith('#'));
  const covers = (rule: string, path: string): boolean => {
    if (rule === '*') return true;
    if (/[*?[]/.test(rule)) throw new Error(`.dockerignore: ${rule}: not understood`);
    return path === rule || path.startsWith(`${rule}/`);
  };
  return paths.filter((path) => {
    let isKept = true;
    for (const rule of rules) {
      if (rule.startsWith('!') ? covers(rule.slice(1), path) : covers(rule, path)) {
        isKept = rule.startsWith('!');
      }
    }
    return isKept;
  });
}
