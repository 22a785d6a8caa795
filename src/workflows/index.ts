/** The workflows, as the worker's bundle has them. */
export { pull } from './pull.js';
export { shard } from './shard.js';
