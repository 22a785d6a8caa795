/** Jest runs the compiled tests: types are checked by the build, and worker threads load real files. */
export default {
  rootDir: '.',
  roots: ['<rootDir>/dist/test'],
  testEnvironment: 'node',
  transform: {},
  testMatch: ['**/*.test.js'],
  testTimeout: 60_000,
  // How long each file took: the longest are first in the next run.
  cacheDirectory: '<rootDir>/dist/.jest',
};
