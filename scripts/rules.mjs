// npm run rules: prints, for each rule of docs/rules.md, the tests that name it (`rule 15: ...`), and fails on a rule
// without a test and on a test that names a rule which does not exist. `--tests` prints the title of each.
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const page = 'docs/rules.md';

/** The rules by number, from the bold sentences that start their paragraphs. */
function readRules() {
  const text = readFileSync(join(root, page), 'utf8');
  const found = text.matchAll(/^\*\*(\d+)\. ([^*]+?)[.,:]?\*\*/gmu);
  return new Map([...found].map(([, number, title]) => [Number(number), title]));
}

/** `describe`, `it` or `test` behind `.each(...)`, `.only` and the like; undefined for any other call. */
function testFunction(expression) {
  let current = expression;
  while (ts.isCallExpression(current) || ts.isPropertyAccessExpression(current)) {
    current = current.expression;
  }
  if (ts.isTaggedTemplateExpression(current)) return testFunction(current.tag);
  const isOne = ts.isIdentifier(current) && ['describe', 'it', 'test'].includes(current.text);
  return isOne ? current.text : undefined;
}

function titleOf(argument) {
  if (argument === undefined) return undefined;
  if (ts.isStringLiteralLike(argument)) return argument.text;
  return ts.isTemplateExpression(argument) ? argument.getText().slice(1, -1) : undefined;
}

/** `rule 15`, `rules 1 and 2`, `rules 8, 9 and 27`. */
function numbersIn(title) {
  return [...title.matchAll(/\brules? ((?:\d+(?:, | and |, and )?)+)/gu)].flatMap(([, list]) =>
    [...list.matchAll(/\d+/gu)].map(([number]) => Number(number)),
  );
}

/** Every title in a test file that names a rule. */
function namedIn(file) {
  const named = [];
  const source = ts.createSourceFile(
    file,
    readFileSync(file, 'utf8'),
    ts.ScriptTarget.Latest,
    true,
  );
  const visit = (node) => {
    if (ts.isCallExpression(node) && testFunction(node.expression) !== undefined) {
      const title = titleOf(node.arguments[0]);
      if (title !== undefined) {
        for (const number of numbersIn(title)) {
          named.push({ number, title, file: relative(root, file) });
        }
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return named;
}

const rules = readRules();
const named = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .flatMap((name) => namedIn(join(root, 'test', name)));

const shown = process.argv.includes('--tests');
for (const [number, title] of rules) {
  const tests = named.filter((test) => test.number === number);
  const files = [...new Set(tests.map(({ file }) => file))];
  console.log(`${String(number).padStart(2)}  ${String(tests.length).padStart(3)}  ${title}`);
  if (shown) for (const test of tests) console.log(`         ${test.file}: ${test.title}`);
  else if (files.length > 0) console.log(`         ${files.join(', ')}`);
}
const empty = [...rules.keys()].filter((number) => !named.some((test) => test.number === number));
const unknown = named.filter(({ number }) => !rules.has(number));
for (const { number, file, title } of unknown) {
  console.error(`${file}: "${title}" names rule ${number}, which ${page} does not have`);
}
if (empty.length > 0) console.error(`no test names rule ${empty.join(', ')}`);
console.log(`${rules.size} rules, ${named.length} tests, ${empty.length} rules without a test`);
if (rules.size === 0 || empty.length > 0 || unknown.length > 0) process.exitCode = 1;
