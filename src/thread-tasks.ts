/** Composition root of a fetching thread: the stores and the tasks. */
import { createThreadTasks } from './transfer/thread/run-tasks.js';
import { StoreRegistry } from './stores/registry.js';

const registry = new StoreRegistry();

/** The pool calls these by name. */
export const { fetchPack, fetchRange, takeNames, warm } = createThreadTasks((address) =>
  registry.open(address),
);
