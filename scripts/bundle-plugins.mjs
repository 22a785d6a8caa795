// What esbuild is told when scripts/bundle-code.mjs puts the code together.
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SRC = join(ROOT, 'dist/src');
export const OUT = join(ROOT, 'dist/bundle');

const CLIENT = createRequire(join(SRC, 'client.js')).resolve('@temporalio/client');

const read = (path) => readFileSync(path, 'utf8');

/** A file of our own. Where it asks for what lies beside it, it gets what lies beside its compiled self. */
function ownCode(path) {
  const own = JSON.stringify(relative(OUT, path));
  return read(path).replaceAll('import.meta.url', `new URL(${own}, import.meta.url).href`);
}

export const places = {
  name: 'places',
  setup(build) {
    build.onLoad({ filter: /\.js$/ }, ({ path }) =>
      path.startsWith(SRC) ? { contents: ownCode(path), loader: 'js' } : undefined,
    );
  },
};

/** What most commands load, with all that these load in turn. */
const USUAL = [
  'cli/commands/pull.js',
  'cli/context.js',
  'cli/find-pull.js',
  'cli/session.js',
  'service/find-or-start.js',
  'service/private-key.js',
  'service/service-files.js',
];

const AT_ONCE = /^(?:import|export)\b[^'"]*?'(\.[^']+)';/gmu;
const LATER = /\bimport\(\s*'(\.[^']+)'\s*\)/gu;

/** The files that a file loads at once, itself among them. */
function loadedWith(path, found = new Set()) {
  if (found.has(path)) return found;
  found.add(path);
  for (const [, to] of read(path).matchAll(AT_ONCE)) loadedWith(join(dirname(path), to), found);
  return found;
}

/** The files that are loaded when they are wanted. */
function loadedLater() {
  const all = readdirSync(SRC, { recursive: true }).filter((name) => name.endsWith('.js'));
  return all
    .map((name) => join(SRC, name))
    .flatMap((path) => [...read(path).matchAll(LATER)].map(([, to]) => join(dirname(path), to)));
}

/**
 * What most commands load lies in one file. esbuild cuts by who loads what, into dozens of files of which most cost more than what
 * is in them: so whatever is loaded later loads all of that, and there is nothing to cut.
 */
export const together = {
  name: 'together',
  setup(build) {
    const first = loadedWith(join(SRC, 'cli/run.js'));
    const later = new Set(loadedLater().filter((path) => !first.has(path)));
    const contents = USUAL.map((name) => `import ${JSON.stringify(`./${name}`)};`).join('\n');
    build.onResolve({ filter: /^waybill:usual$/ }, ({ path }) => ({ path, namespace: 'usual' }));
    build.onLoad({ filter: /./, namespace: 'usual' }, () => ({ contents, resolveDir: SRC }));
    build.onLoad({ filter: /\.js$/ }, ({ path }) =>
      later.has(path)
        ? { contents: `import 'waybill:usual'; ${ownCode(path)}`, loader: 'js' }
        : undefined,
    );
  },
};

/** The methods of Temporal's services that these files call. */
function methodsIn(files) {
  const called = /(?:workflow|operator|health)Service\s*\.\s*(\w+)/gu;
  return new Set(files.flatMap((file) => [...read(file).matchAll(called)].map(([, name]) => name)));
}

/** What is to be kept of Temporal's protobuf definitions for the client of a command. */
export function wantedByClient() {
  const sdk = ['workflow-client', 'async-completion-client', 'connection', 'client', 'base-client'];
  const own = readdirSync(join(SRC, 'client')).filter((name) => name.endsWith('.js'));
  return {
    methods: methodsIn([
      ...sdk.map((name) => join(dirname(CLIENT), `${name}.js`)),
      join(SRC, 'client.js'),
      ...own.map((name) => join(SRC, 'client', name)),
    ]),
    whole: [
      'temporal.api.errordetails.v1',
      'temporal.api.history.v1.History',
      'temporal.api.failure.v1',
      'google.rpc.Status',
    ],
  };
}

/**
 * Temporal's protobuf definitions, read by one copy of protobufjs.
 * @param {(definitions: object) => object} choose
 */
export function protobuf(choose) {
  const here = createRequire(createRequire(CLIENT).resolve('@temporalio/proto'));
  const generated = here.resolve('./json-module.js');
  const versionAt = (from) => from('protobufjs/package.json').version;
  return {
    name: 'protobuf',
    setup(build) {
      build.onLoad({ filter: /json-module\.js$/ }, ({ path }) => {
        if (path !== generated) return undefined;
        const definitions = JSON.stringify(choose(definitionsIn(path)));
        const contents =
          `const { roots, Root } = require('protobufjs/light');\n` +
          `module.exports = (roots.__temporal ??= new Root()).addJSON(JSON.parse(${JSON.stringify(definitions)}));\n`;
        return { contents, loader: 'js', resolveDir: dirname(path) };
      });
      build.onResolve({ filter: /^protobufjs(?:\/|$)/ }, ({ path, resolveDir }) => {
        const from = createRequire(join(resolveDir, 'any.js'));
        return versionAt(from) === versionAt(here) ? { path: here.resolve(path) } : undefined;
      });
    },
  };
}

/** What the generated module gives to protobufjs. */
function definitionsIn(path) {
  class Root {
    addJSON(definitions) {
      this.definitions = definitions;
      return this;
    }
  }
  const found = { exports: {} };
  new Function('require', 'module', 'exports', read(path))(
    () => ({ Root, roots: {} }),
    found,
    found.exports,
  );
  return found.exports.definitions;
}

/** The thread in which the SDK runs workflows. */
export function workflowThread() {
  const worker = createRequire(join(SRC, 'run-worker.js')).resolve('@temporalio/worker');
  return join(dirname(worker), 'workflow/workflow-worker-thread.js');
}

/** A file of the SDK, in one place different from what it is. */
function changed(path, from, to) {
  const text = read(path);
  if (text.split(from).length !== 2) throw new Error(`${path} is not what it was: ${from}`);
  return text.replace(from, to);
}

/** The worker's part of Temporal's SDK, without what bundles workflows: webpack, and the file systems that it is given. */
export const workerSdk = {
  name: 'worker-sdk',
  setup(build) {
    // These look for files beside them: native code, WebAssembly.
    const beside = "require('node:module').createRequire(require.resolve('@temporalio/worker'))";
    build.onResolve({ filter: /^(?:\.\/common|source-map)$/ }, ({ path, importer }) => {
      if (path === 'source-map') return { path, namespace: 'beside-worker' };
      if (!/core-bridge\/index\.js$/.test(importer)) return undefined;
      return { path: '@temporalio/core-bridge/common.js', namespace: 'beside-worker' };
    });
    build.onLoad({ filter: /./, namespace: 'beside-worker' }, ({ path }) => ({
      contents: `module.exports = ${beside}(${JSON.stringify(path)});`,
    }));
    build.onResolve({ filter: /^@temporalio\/worker$/ }, ({ kind }) =>
      kind === 'require-resolve' ? { external: true } : undefined,
    );
    build.onLoad({ filter: /worker\/lib\/workflow\/bundler\.js$/ }, () => ({
      contents:
        'exports.defaultWorkflowInterceptorModules = [];\n' +
        'exports.bundleWorkflowCode = exports.WorkflowCodeBundler = function () {\n' +
        "  throw new Error('workflows are bundled when Waybill is built');\n};\n",
    }));
    build.onLoad({ filter: /worker\/lib\/workflow\/threaded-vm\.js$/ }, ({ path }) => ({
      contents: changed(path, "'./workflow-worker-thread'", "'./workflow-thread.js'"),
    }));
    // It notes a stack for each promise of a workflow, should anybody ask where the workflow waits: half of what one costs. What a
    // pull waits for stands in its details and its activities.
    build.onLoad({ filter: /worker\/lib\/workflow\/vm-shared\.js$/ }, ({ path }) => ({
      contents: changed(path, 'this.setPromiseHook();', ''),
    }));
  },
};
