// Puts together what a command, the service, the worker and its threads load: some files in dist/bundle/ instead of hundreds, which
// is where most of a short command's time went. What is compiled in dist/src stays the truth: src/config/bundle.ts uses the
// bundle only as long as nothing was compiled since, and where none can be made, everything runs without.
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  OUT,
  places,
  protobuf,
  together,
  wantedByClient,
  workerSdk,
  workflowThread,
} from './bundle-plugins.mjs';
import { pruneProtobuf } from './prune-protobuf.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MANIFEST = join(OUT, 'bundle.json');

/** A store's SDK costs nothing until its scheme is used; the others bring native parts, or files that they look for beside them. */
const STAY_PACKAGES = [
  '@aws-sdk/*',
  '@azure/*',
  '@smithy/*',
  'google-auth-library',
  'node-sqlite3-wasm',
  'pino',
  'piscina',
  'ssh2',
];

const read = (path) => readFileSync(path, 'utf8');

/** A file is there as a whole, or as it was. */
function publish(path, contents) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.${process.pid}`, contents);
  renameSync(`${path}.${process.pid}`, path);
}

/** What the compiler noted when it wrote last (src/config/bundle.ts). */
function notes() {
  const found = ['src.tsbuildinfo', 'all.tsbuildinfo'].flatMap((name) => {
    const stat = statSync(join(ROOT, 'dist', name), { throwIfNoEntry: false });
    return stat === undefined ? [] : [[name, `${stat.size} ${stat.mtimeMs}`]];
  });
  return Object.fromEntries(found);
}

async function bundle({ build }) {
  const before = notes();
  const shared = {
    absWorkingDir: ROOT,
    outdir: OUT,
    bundle: true,
    splitting: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20.20',
    legalComments: 'none',
    logLevel: 'warning',
    // Packages of the older kind ask for Node's own modules in the older way.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module';\nconst require = requireFrom(import.meta.url);",
    },
  };
  const ofClients = {
    ...shared,
    external: [
      ...STAY_PACKAGES,
      '@temporalio/activity',
      '@temporalio/worker',
      '@temporalio/workflow',
    ],
  };
  const client = protobuf((all) => pruneProtobuf(all, wantedByClient()));
  const groups = await Promise.all([
    build({
      ...ofClients,
      entryPoints: { command: 'dist/src/cli/run.js' },
      plugins: [together, places, client],
    }),
    build({
      ...ofClients,
      entryPoints: { service: 'dist/src/service/run-service.js' },
      plugins: [places, client],
    }),
    // The native part, the client and the activities of a worker have to share one copy of the SDK.
    build({
      ...shared,
      entryPoints: {
        worker: 'dist/src/run-worker.js',
        thread: 'dist/src/thread-tasks.js',
        'workflow-thread': workflowThread(),
      },
      external: [...STAY_PACKAGES, './workflow-thread.js'],
      plugins: [places, protobuf((all) => all), workerSdk],
    }),
  ]);
  const files = groups.flatMap(({ outputFiles }) => outputFiles);
  const names = files.map(({ path }) => basename(path));
  const hash = createHash('sha256').update(read(join(ROOT, 'package.json')));
  for (const { contents } of files) hash.update(contents);
  hash.update(readFileSync(join(ROOT, 'dist/workflow-bundle.js')));
  const id = hash.digest('hex').slice(0, 16);
  const previous = namesBefore();
  for (const { path, contents } of files) publish(path, contents);
  // A process that runs may still ask for a file of the bundle before this one.
  const kept = new Set([...names, ...previous, basename(MANIFEST)]);
  for (const name of readdirSync(OUT)) if (!kept.has(name)) rmSync(join(OUT, name));
  publish(MANIFEST, JSON.stringify({ id, notes: before, names }));
}

/** The files of the bundle that is there. */
function namesBefore() {
  try {
    return JSON.parse(read(MANIFEST)).names ?? [];
  } catch {
    return [];
  }
}

try {
  await bundle(await import('esbuild'));
} catch (error) {
  rmSync(MANIFEST, { force: true });
  console.warn(
    `waybill: the code is loaded file by file, which takes longer, for it could not be put together: ${error}`,
  );
}
