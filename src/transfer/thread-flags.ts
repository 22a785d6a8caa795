/** How threads are started. */

/**
 * Piscina asks `require` for a thread's module first, and `import` where that does not take it. A thread that is ended while
 * Node requires an ES module may take the whole process along (`v8::Module::IsGraphAsync must be used on an instantiated
 * module`); one that imports does not.
 */
export const THREAD_FLAGS: readonly string[] = process.allowedNodeEnvironmentFlags.has(
  '--experimental-require-module',
)
  ? ['--no-experimental-require-module']
  : [];
