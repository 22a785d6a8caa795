/** A thread that fetches, from few files or from many (config/bundle.ts). Loaded by the thread pool. */
import { bundled } from './config/bundle.js';
import type * as Tasks from './thread-tasks.js';

const tasks = (await import(bundled('thread') ?? './thread-tasks.js')) as typeof Tasks;

/** The pool calls these by name. */
export const { fetchPack, fetchRange, takeNames, warm } = tasks;
