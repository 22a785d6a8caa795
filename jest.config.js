/** Jest runs the compiled tests: types are checked by the build, and worker threads load real files. */
export default {
  rootDir: '.',
  roots: ['<rootDir>/dist/test'],
  testEnvironment: 'node',
  transform: {},
  testMatch: ['**/*.test.js'],
  // Nothing takes so long that works; a machine that is busy or slow shall not fail what is right.
  testTimeout: 240_000,
  testSequencer: '<rootDir>/scripts/longest-first.mjs',
  // Which suites failed: they are first in the next run.
  cacheDirectory: '<rootDir>/dist/.jest',
};
