/**
 * The code in few files. Loading file by file costs more than what most commands then do: `scripts/bundle-code.mjs` puts
 * together what a command, the service, the worker and its threads load, in `dist/bundle/`. What that was made of lies beside it
 * all the same, and runs where there is no bundle, or where it was compiled again since.
 */
import { readFileSync, statSync } from 'node:fs';

const DIST = new URL('../../', import.meta.url);
const FOLDER = new URL('bundle/', DIST);

/** The scripts that there are. */
export type BundledScript = 'command' | 'service' | 'worker' | 'thread';

/** What the bundle says of itself. */
interface Bundle {
  readonly id: string;
  /** The compiler's notes on what it wrote last, as they were. */
  readonly notes: Readonly<Record<string, string>>;
}

function readObject(url: URL): Readonly<Record<string, unknown>> | undefined {
  try {
    const found: unknown = JSON.parse(readFileSync(url, 'utf8'));
    return typeof found === 'object' && found !== null ? { ...found } : undefined;
  } catch {
    return undefined;
  }
}

function readBundle(): Bundle | undefined {
  const { id, notes } = readObject(new URL('bundle.json', FOLDER)) ?? {};
  if (typeof id !== 'string' || typeof notes !== 'object' || notes === null) return undefined;
  return { id, notes: Object.fromEntries(Object.entries(notes).map(([k, v]) => [k, String(v)])) };
}

/** An installed package has no such notes; in a checkout they are written again with whatever is compiled. */
function isOf(notes: Bundle['notes']): boolean {
  return ['src.tsbuildinfo', 'all.tsbuildinfo'].every((name) => {
    const found = statSync(new URL(name, DIST), { throwIfNoEntry: false });
    return found === undefined || notes[name] === `${found.size} ${found.mtimeMs}`;
  });
}

/** Which bundle is used here; undefined where the code is loaded file by file. */
export function bundleId(): string | undefined {
  const bundle = readBundle();
  return bundle !== undefined && isOf(bundle.notes) ? bundle.id : undefined;
}

/** What is to be imported for a script; undefined where there is no bundle of what was compiled. */
export function bundled(script: BundledScript): string | undefined {
  return bundleId() === undefined ? undefined : new URL(`${script}.js`, FOLDER).href;
}
