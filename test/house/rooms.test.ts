import { describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Runs the project's own ESLint on texts as if they were the files. */
const SCRIPT = `
import { readFileSync } from 'node:fs';
import { ESLint } from 'eslint';
const eslint = new ESLint();
const said = [];
for (const { file, text } of JSON.parse(readFileSync(0, 'utf8'))) {
  const [result] = await eslint.lintText(text, { filePath: file });
  said.push(result.messages.map((message) => message.ruleId + ': ' + message.message));
}
console.log(JSON.stringify(said));
`;

function lint(cases: readonly { file: string; text: string }[]): string[][] {
  const args = ['--input-type=module', '-e', SCRIPT];
  const input = JSON.stringify(cases);
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, input });
  if (stdout.length === 0) throw new Error(stderr.toString());
  return JSON.parse(stdout.toString()) as string[][];
}

const WRONG: readonly (readonly [file: string, statement: string, why: string])[] = [
  [
    'src/model/level.ts',
    "import '../transfer/api.js';",
    '"model" imports nothing of the room "transfer"',
  ],
  ['src/model/level.ts', "import 'node:fs';", '"model" does not use node:fs'],
  ['src/manifest/lines.ts', "import 'undici';", '"manifest" does not use undici'],
  [
    'src/transfer/api.ts',
    "import { STORE_FACTORIES } from '../stores/index.js';\nexport const x = STORE_FACTORIES;",
    '"transfer" imports only types of the room "store list"',
  ],
  [
    'src/transfer/api.ts',
    "import '@temporalio/activity';",
    '"transfer" does not use @temporalio/activity (Temporal is reached through client.ts alone)',
  ],
  ['src/stores/store.ts', "import '../transfer/api.js';", 'nothing of the room "transfer"'],
  [
    'src/transfer/api.ts',
    'export const home = process.env.HOME;',
    'only src/config.ts reads process.env',
  ],
  ['src/transfer/api.ts', 'export default 1;', 'no-default-export'],
  [
    'src/manifest/lines.ts',
    "import { parseSums } from './sha256sums.js';\nexport const splitLines = parseSums;",
    'import-x/no-cycle',
  ],
  ['src/model/level.ts', "/* eslint-disable */\nimport 'node:fs';", '"model" does not use node:fs'],
  [
    'src/model/level.ts',
    'export const f = (): void => void (async () => 1)();\nPromise.resolve();',
    'no-floating-promises',
  ],
];

const RIGHT = [
  "import type { Store } from '../stores/store.js';",
  "import { RECORD_FILES } from '../manifest/index.js';",
  'export const names = Object.keys(RECORD_FILES);',
  'export type S = Store;',
  '',
].join('\n');

describe('the rooms of src/', () => {
  it('an import against the direction fails the check, and one along it passes', () => {
    const wrong = WRONG.map(([file, text]) => ({ file, text: `${text}\n` }));
    const [right, ...said] = lint([{ file: 'src/transfer/api.ts', text: RIGHT }, ...wrong]);
    expect(right).toEqual([]);
    WRONG.forEach(([, , why], index) => {
      expect(said[index]?.join('\n')).toContain(why);
    });
  }, 240_000);
});
