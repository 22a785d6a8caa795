import { describe, expect, it } from '@jest/globals';
import { Ajv } from 'ajv';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildProgram } from '../../src/cli/program.js';
import { schemaFileOf, schemaFiles } from '../../src/cli/schema/files.js';
import { checkJsonOutput } from '../helpers/json-output.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const shipped = (name: string): unknown =>
  JSON.parse(readFileSync(`${root}src/cli/schema/${name}`, 'utf8'));

const RESULT = {
  v: 1,
  type: 'result',
  time: '2026-01-01T00:00:00.000Z',
  pullId: null,
  ok: false,
  exitCode: 2,
  code: 'WB_USAGE',
  message: 'm',
  destination: null,
  treeDigest: null,
  failures: [],
};

const check = (lines: readonly unknown[], exitCode = 2, args = ['pull', 'x', '--json']): void =>
  checkJsonOutput({
    args,
    exitCode,
    wasKilled: false,
    stdout: lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
  });

describe('the JSON Schemas that ship', () => {
  it('are what src/cli/schema/*.ts says: npm run schemas', () => {
    const files = readdirSync(`${root}src/cli/schema`).filter((name) => name.endsWith('.json'));
    const made = schemaFiles();
    expect(files.sort()).toEqual(Object.keys(made).sort());
    // Through JSON, for what a file cannot hold.
    for (const [name, schema] of Object.entries(made)) {
      expect([name, shipped(name)]).toEqual([name, JSON.parse(JSON.stringify(schema))]);
    }
  });

  it('are valid, and the package exports them', () => {
    const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
      exports: Record<string, unknown>;
      files: string[];
    };
    expect(manifest.exports['./schema/*.json']).toBe('./src/cli/schema/*.json');
    expect(manifest.files).toContain('src/cli/schema/*.json');
    for (const name of Object.keys(schemaFiles())) {
      expect(() => new Ajv({ strict: false }).compile(shipped(name) as object)).not.toThrow();
      expect(import.meta.resolve(`waybill/schema/${name}`)).toContain(`src/cli/schema/${name}`);
    }
  });

  it('exist for every command', () => {
    const program = buildProgram('0', () => Promise.resolve());
    const names = program.commands
      .map((command) => command.name())
      .filter((name) => !name.startsWith('__'));
    const files = names.map((name) => `${schemaFileOf(name)}.json`);
    const described = new Set(['pull', 'watch']);
    for (const [index, name] of names.entries()) {
      const file = files[index] ?? '';
      expect([name, Object.keys(schemaFiles())]).toEqual([name, expect.arrayContaining([file])]);
      if (!described.has(name)) expect([name, file]).not.toEqual([name, 'events.json']);
    }
  });
});

describe('the check that every test runs', () => {
  it('takes what is right', () => {
    expect(() => check([RESULT])).not.toThrow();
    const listed = { uri: 'a', kind: 'run', note: '' };
    const end = { type: 'result', ok: true, exitCode: 0, code: null };
    expect(() => check([listed, end], 0, ['ls', 'x', '--json'])).not.toThrow();
  });

  it.each([
    ['an unknown field', [{ ...RESULT, more: 1 }], 'must NOT have additional properties'],
    ['a missing field', [{ ...RESULT, failures: undefined }], "required property 'failures'"],
    ['an unknown type', [{ ...RESULT, type: 'end' }, RESULT], 'type end does not fit'],
    ['a wrong code', [{ ...RESULT, code: 'WB_NOSUCH' }], 'not in the table of errors'],
    ['another exit code', [{ ...RESULT, exitCode: 3 }], 'the command ended with 2'],
    ['two results', [RESULT, RESULT], 'not the one result line'],
    ['no result', [], 'not the one result line'],
    ['what is no JSON', ['plain'], 'does not fit'],
  ])('refuses %s', (_what, lines, said) => {
    expect(() => check(lines)).toThrow(said);
  });
});
