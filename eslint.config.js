import importX from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';
import { rooms } from './scripts/eslint-rooms.mjs';

const everywhere = {
  'max-lines': ['error', { max: 400, skipBlankLines: true }],
  'no-console': 'error',
  'no-var': 'error',
  'prefer-const': 'error',
  eqeqeq: 'error',
  'import-x/no-default-export': 'error',
};

const typed = {
  '@typescript-eslint/no-floating-promises': 'error',
  '@typescript-eslint/no-misused-promises': 'error',
  '@typescript-eslint/await-thenable': 'error',
  '@typescript-eslint/consistent-type-imports': 'error',
  '@typescript-eslint/explicit-module-boundary-types': 'error',
  '@typescript-eslint/no-explicit-any': 'error',
  '@typescript-eslint/no-non-null-assertion': 'error',
  '@typescript-eslint/no-unused-vars': [
    'error',
    { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'none' },
  ],
  '@typescript-eslint/switch-exhaustiveness-check': [
    'error',
    { considerDefaultExhaustiveForUnions: true },
  ],
  '@typescript-eslint/return-await': ['error', 'in-try-catch'],
  'import-x/no-cycle': 'error',
  'no-restricted-syntax': [
    'error',
    { selector: 'TSEnumDeclaration', message: 'Use a const object or array and a union.' },
    { selector: 'ExportAllDeclaration', message: 'Name what is exported.' },
    {
      selector: "ImportDeclaration[source.value='zod'] > ImportSpecifier",
      message: 'Import * as z: what is not used of it then stays out of the bundle.',
    },
  ],
};

/** The rules of the house. CONTRIBUTING.md says them in words. */
// ESLint takes its configuration from a default export, and from nothing else.
export default [
  { ignores: ['dist/', 'node_modules/', 'test/histories/', 'coverage/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error', noInlineConfig: true } },
  {
    files: ['**/*.{js,mjs}'],
    plugins: { 'import-x': importX },
    languageOptions: { ecmaVersion: 'latest', sourceType: 'module' },
    rules: { ...everywhere, 'import-x/no-default-export': 'off', 'no-console': 'off' },
  },
  {
    files: ['src/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts'],
    plugins: { '@typescript-eslint': tseslint.plugin, 'import-x': importX, rooms },
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    settings: {
      'import-x/extensions': ['.ts'],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
      'import-x/resolver-next': [
        importX.createNodeResolver({ extensionAlias: { '.js': ['.ts', '.js'] } }),
      ],
    },
    rules: { ...everywhere, ...typed },
  },
  {
    files: ['src/**/*.ts'],
    rules: { 'rooms/direction': 'error', 'rooms/environment': 'error' },
  },
  {
    files: ['test/**/*.ts'],
    rules: { '@typescript-eslint/explicit-module-boundary-types': 'off' },
  },
];
