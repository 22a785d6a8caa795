/** Holds what a command prints with `--json` to the JSON Schemas that ship in the package. */
import { Ajv, type ValidateFunction } from 'ajv';
import { readFileSync } from 'node:fs';
import { isErrorCode } from '../../src/model/errors.js';
import { schemaFileOf } from '../../src/cli/schema/files.js';

/** A command that ended. */
export interface EndedCommand {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly stdout: string;
  readonly exitCode: number;
  /** A signal ended it: its last line may be torn, and the result may be missing. */
  readonly wasKilled: boolean;
}

/** Whether the command was asked for JSON, and prints it. */
export function isJsonRun({ args, env }: Pick<EndedCommand, 'args' | 'env'>): boolean {
  const end = args.indexOf('--');
  const flags = end < 0 ? args : args.slice(0, end);
  if (flags.includes('--json')) return true;
  // What a variable asks for is for scripts; help and version stay for people.
  if (flags.length === 0 || flags[0] === 'help') return false;
  if (flags.some((flag) => /^(-h|--help|-V|--version)$/.test(flag))) return false;
  return env?.['WAYBILL_JSON'] === '1';
}

const compiled = new Map<string, readonly ValidateFunction[]>();

/** The schema as it ships, and a strict one that knows no field beside those it describes. */
function validatorsOf(name: string): readonly ValidateFunction[] {
  const known = compiled.get(name);
  if (known) return known;
  const path = new URL(`../../../src/cli/schema/${name}.json`, import.meta.url);
  const shipped = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  const strict = closed({ ...shipped, $id: `${String(shipped['$id'])}#strict` }) as object;
  const made = [shipped, strict].map((schema) =>
    new Ajv({ allErrors: true, strict: false }).compile(schema),
  );
  compiled.set(name, made);
  return made;
}

function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== 'object' || value === null) return value;
  const made = Object.fromEntries(Object.entries(value).map(([key, item]) => [key, closed(item)]));
  return 'properties' in made && !('additionalProperties' in made)
    ? { ...made, additionalProperties: false }
    : made;
}

/** @throws Error naming the line and what about it fits no schema, or how the result line differs from the end */
export function checkJsonOutput(ended: EndedCommand): void {
  if (!isJsonRun(ended)) return;
  const [command = ''] = ended.args;
  const lines = ended.stdout.split('\n');
  const torn = lines.pop() ?? '';
  if (torn !== '' && !ended.wasKilled) throw wrong(ended, torn, 'the last line has no end');
  for (const line of lines) checkLine(ended, schemaFileOf(command), line);
  if (!ended.wasKilled) checkEnd(ended, lines);
}

function checkLine(ended: EndedCommand, name: string, line: string): void {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw wrong(ended, line, 'it is no JSON');
  }
  for (const isValid of validatorsOf(name)) {
    if (isValid(value)) continue;
    const type = (value as { type?: unknown }).type;
    const told = (isValid.errors ?? [])
      .filter(({ schemaPath }) => schemaPath.startsWith(branchOf(isValid.schema, type)))
      .map(({ instancePath, message, params }) =>
        [instancePath, message, JSON.stringify(params)].join(' '),
      );
    throw wrong(
      ended,
      line,
      `type ${String(type)} does not fit src/cli/schema/${name}.json: describe new fields in ` +
        `src/cli/schema/*.ts, then npm run schemas\n${[...new Set(told)].slice(0, 12).join('\n')}`,
    );
  }
}

/** The errors of the branch that has this type say what is wrong; those of the others do not. */
function branchOf(schema: unknown, type: unknown): string {
  const { anyOf = [] } = schema as {
    anyOf?: readonly { properties?: { type?: { const?: unknown } } }[];
  };
  const index = anyOf.findIndex((branch) => branch.properties?.type?.const === type);
  return index < 0 || type === undefined ? '#/' : `#/anyOf/${index}/`;
}

function checkEnd(ended: EndedCommand, lines: readonly string[]): void {
  const values = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const last = values.at(-1) ?? {};
  const line = lines.at(-1) ?? '';
  const results = values.filter(({ type }) => type === 'result').length;
  if (results !== 1 || last['type'] !== 'result') {
    throw wrong(ended, line, `it is not the one result line (${results} of them)`);
  }
  if (last['exitCode'] !== ended.exitCode || last['ok'] !== (ended.exitCode === 0)) {
    throw wrong(ended, line, `the command ended with ${ended.exitCode}`);
  }
  if (last['code'] !== null && !isErrorCode(last['code'])) {
    throw wrong(ended, line, 'its code is not in the table of errors');
  }
}

function wrong({ args, stdout }: EndedCommand, line: string, why: string): Error {
  return new Error(
    `waybill ${args.join(' ')}: ${why}\nthe line: ${line.slice(0, 2_000)}\nall of stdout:\n${stdout.slice(0, 4_000)}`,
  );
}
