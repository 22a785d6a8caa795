// The direction of imports between the rooms of src/, as an ESLint rule. CONTRIBUTING.md draws the same map.
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

const NODE = /^node:/;
const ZOD = /^zod(\/|$)/;
const TEMPORAL = /^@temporalio\//;
const NOT_TEMPORAL = /^(?!@temporalio\/)/;

/**
 * Each room: the files that belong to it, the rooms that it imports values of, those that it imports types of, and the
 * packages that it may use. The first row whose pattern fits a file is its room. A store's folder is `store:<name>`.
 */
const ROOMS = [
  { room: 'model', files: /^model\//, values: [], packages: [] },
  { room: 'manifest', files: /^manifest\//, values: ['model'], packages: [ZOD] },
  { room: 'store contract', files: /^stores\/store\.ts$/, values: ['model'], packages: [NODE] },
  {
    room: 'store list',
    files: /^stores\/(index|registry)\.ts$/,
    values: ['store contract', 'store:*', 'model'],
    packages: [],
  },
  {
    room: 'store lib',
    files: /^stores\/lib\//,
    values: ['store contract', 'model'],
    packages: [NOT_TEMPORAL],
  },
  {
    room: 'store:*',
    files: /^stores\/([^/]+)\//,
    // The formats of the record are data at a source too: a SHA256SUMS or a manifest that lists files.
    values: ['store contract', 'store lib', 'manifest', 'model'],
    packages: [NOT_TEMPORAL],
  },
  {
    // A worker thread opens stores for itself: it gets the list of them from its entry, which is no room.
    room: 'transfer',
    files: /^transfer\//,
    values: ['manifest', 'model'],
    types: ['store contract', 'store list'],
    packages: [NOT_TEMPORAL],
  },
  {
    room: 'workflows',
    files: /^workflows\//,
    values: ['manifest', 'model'],
    types: ['activities', 'transfer'],
    packages: [/^@temporalio\/(workflow|common)$/],
  },
  {
    room: 'activities',
    files: /^activities\//,
    values: ['transfer', 'manifest', 'model'],
    types: ['store contract', 'store list', 'workflows'],
    packages: [NODE, ZOD, /^@temporalio\/(activity|common)$/],
  },
  {
    room: 'config',
    files: /^config(\.ts$|\/)/,
    values: ['model'],
    types: ['store contract'],
    packages: [NOT_TEMPORAL],
  },
  {
    // What operators look at. It watches attempts and needs to know nothing of how they are made.
    room: 'telemetry',
    files: /^telemetry\//,
    values: ['model'],
    types: ['activities', 'transfer'],
    packages: [NODE, /^@temporalio\/common$/],
  },
  {
    // The signatures and the encryption of payloads, for the client and the worker.
    room: 'codec',
    files: /^codec\//,
    values: ['model'],
    packages: [NODE, /^@temporalio\/(common|proto)$/],
  },
  {
    room: 'client',
    files: /^client(\.ts$|\/)/,
    values: ['workflows', 'codec', 'manifest', 'model'],
    types: ['config'],
    packages: [NODE, ZOD, /^@temporalio\/(client|common|envconfig)$/],
  },
  {
    room: 'service',
    files: /^service\//,
    values: ['client', 'config', 'manifest', 'model'],
    types: ['store contract', 'transfer'],
    packages: [NOT_TEMPORAL],
  },
  {
    room: 'cli',
    files: /^(cli|demo)\//,
    values: [
      'codec',
      'client',
      'config',
      'service',
      'transfer',
      'store list',
      'store contract',
      // The names of the network variables, which the command line collects for every store.
      'store lib',
      'manifest',
      'model',
      'workers',
    ],
    packages: [NOT_TEMPORAL],
  },
  // Composition roots: they may see everything, and nobody but the command line sees them.
  { room: 'workers', files: /^[^/]+\.ts$/, values: ['*'], packages: [/^/] },
];

const roomOf = (file) => {
  const inside = relative(SRC, file).split(sep).join('/');
  if (inside.startsWith('../')) return undefined;
  const row = ROOMS.find(({ files }) => files.test(inside));
  const room = row?.room === 'store:*' ? `store:${inside.split('/')[1]}` : row?.room;
  return room === undefined ? { room: 'no room', row: undefined } : { room, row };
};

const allows = (rooms, room) =>
  rooms?.some(
    (one) => one === '*' || one === room || (one === 'store:*' && room.startsWith('store:')),
  );

/** Why this import is against the direction; undefined if it is not. */
function objection(from, specifier, isType) {
  if (from.row === undefined)
    return 'this file is in no room of src/: see scripts/eslint-rooms.mjs';
  if (!specifier.startsWith('.')) {
    if (from.row.packages.some((pattern) => pattern.test(specifier))) return undefined;
    const hint = TEMPORAL.test(specifier) ? ' (Temporal is reached through client.ts alone)' : '';
    return `the room "${from.room}" does not use ${specifier}${hint}`;
  }
  const to = roomOf(join(from.folder, specifier.replace(/\.js$/, '.ts')));
  if (to === undefined) return `the room "${from.room}" imports from outside src/`;
  if (to.room === from.room || allows(from.row.values, to.room)) return undefined;
  if (isType && allows(from.row.types, to.room)) return undefined;
  const only = allows(from.row.types, to.room) ? 'only types of' : 'nothing of';
  return `the room "${from.room}" imports ${only} the room "${to.room}"`;
}

const isTypeOnly = (node) =>
  node.importKind === 'type' ||
  node.exportKind === 'type' ||
  (node.specifiers?.length > 0 &&
    node.specifiers.every((one) => one.importKind === 'type' || one.exportKind === 'type'));

/** The rule `rooms/direction`. */
const direction = {
  meta: { type: 'problem', schema: [], messages: { wrong: '{{why}}.' } },
  create(context) {
    const found = roomOf(context.filename);
    if (found === undefined) return {};
    const from = { ...found, folder: dirname(context.filename) };
    const check = (node, source, isType) => {
      if (typeof source?.value !== 'string') return;
      const why = objection(from, source.value, isType);
      if (why !== undefined) context.report({ node: source, messageId: 'wrong', data: { why } });
    };
    return {
      ImportDeclaration: (node) => check(node, node.source, isTypeOnly(node)),
      ExportNamedDeclaration: (node) => check(node, node.source, isTypeOnly(node)),
      ExportAllDeclaration: (node) => check(node, node.source, isTypeOnly(node)),
      ImportExpression: (node) => check(node, node.source, false),
      TSImportType: (node) => check(node, node.source ?? node.argument?.literal, true),
    };
  },
};

/** The rule `rooms/environment`: only src/config.ts reads process.env. */
const environment = {
  meta: {
    type: 'problem',
    schema: [],
    messages: { wrong: 'only src/config.ts reads process.env.' },
  },
  create(context) {
    if (relative(SRC, context.filename) === 'config.ts') return {};
    return {
      MemberExpression(node) {
        const name = node.property.name ?? node.property.value;
        const object = node.object.name ?? node.object.property?.name;
        if (object === 'process' && name === 'env') context.report({ node, messageId: 'wrong' });
      },
      'ImportDeclaration[source.value=/^(node:)?process$/]'(node) {
        context.report({ node, messageId: 'wrong' });
      },
    };
  },
};

export const rooms = { rules: { direction, environment } };
