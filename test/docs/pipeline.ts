/**
 * The steps of pipelines in the documentation, run as their systems run them: the shell of a GitHub Actions step, the command of
 * an Airflow BashOperator (found in its syntax tree: Airflow itself is no part of the tests), the containers of a pod and of Argo
 * Workflows, with the volumes that they mount, on a root of their own.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import * as z from 'zod';
import { pairsOf, parseDockerfile } from '../image/dockerfile.js';
import type { Block } from './blocks.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

const variable = z.strictObject({
  name: z.string(),
  value: z.string().optional(),
  valueFrom: z
    .strictObject({ secretKeyRef: z.strictObject({ name: z.string(), key: z.string() }) })
    .optional(),
});
const container = z.looseObject({
  image: z.literal('waybill'),
  args: z.array(z.string()),
  env: z.array(variable).default([]),
  securityContext: z.looseObject({ readOnlyRootFilesystem: z.boolean() }).optional(),
  volumeMounts: z.array(z.strictObject({ name: z.string(), mountPath: z.string() })),
});
type Container = z.infer<typeof container>;

const pod = z.looseObject({ initContainers: z.array(container).length(1) });
const argo = z.array(z.looseObject({ container })).length(1);
const actions = z
  .array(z.looseObject({ run: z.string(), env: z.record(z.string(), z.string()).default({}) }))
  .length(1);

/** The shell command by which a step is run; undefined for a block that is none. `base` is a folder of the page's own. */
export function pipelineCommand(block: Block, base: string): string | undefined {
  if (block.language === 'yaml') return yamlCommand(parse(block.text), base);
  return block.language === 'py' && /\bBashOperator\(/.test(block.text)
    ? airflowCommand(block.text, base)
    : undefined;
}

function yamlCommand(document: unknown, base: string): string | undefined {
  const step = actions.safeParse(document);
  if (step.success) return actionsCommand(step.data[0], base);
  const found = pod.safeParse(document).data?.initContainers[0];
  const one = found ?? argo.safeParse(document).data?.[0]?.container;
  return one === undefined ? undefined : containerCommand(one, base);
}

/** What the systems keep as secrets; MLflow without a sign-in takes any token. */
const SECRET = 'a-token-of-the-pipeline';

/** `bash -e {0}`, as the runner does it; what it writes to GITHUB_OUTPUT has to lead to a model. */
function actionsCommand(
  step: z.infer<typeof actions>[number] | undefined,
  base: string,
): string | undefined {
  if (step === undefined) return undefined;
  const [script, output] = [join(base, 'actions.sh'), join(base, 'github-output')];
  writeFileSync(script, step.run);
  const env = Object.entries(step.env).map(([name, value]) =>
    quoted(`${name}=${value.replace(/\$\{\{ secrets\.\w+ \}\}/g, SECRET)}`),
  );
  return `env -u WAYBILL_SERVICE CI=true GITHUB_OUTPUT=${output} ${env.join(' ')} bash -e ${script}
test -f "$(sed -n 's/^model=//p' ${output})/.waybill/receipt.json"`;
}

/** Finds the one BashOperator of a DAG and runs its command as the operator does. */
const OPERATOR = `
import ast, os, subprocess, sys, tempfile
tree = ast.parse(open(sys.argv[1]).read())
calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, 'id', '') == 'BashOperator']
[call] = calls
given = {k.arg: ast.literal_eval(k.value) for k in call.keywords}
known = {'task_id', 'bash_command', 'env', 'append_env', 'retries'}
assert given.keys() <= known, given.keys() - known
assert '{{' not in given['bash_command'], 'a template'
env = {**(os.environ if given.get('append_env') else {}), **given.get('env', {})}
with tempfile.TemporaryDirectory() as cwd:
    done = subprocess.run(['bash', '-c', given['bash_command']], env=env, cwd=cwd, stdout=subprocess.PIPE, text=True)
assert done.returncode == 0, done.returncode
xcom = done.stdout.rstrip('\\n').split('\\n')[-1]
assert os.path.isfile(os.path.join(xcom, '.waybill', 'receipt.json')), xcom
`;

function airflowCommand(text: string, base: string): string {
  writeFileSync(join(base, 'dag.py'), text);
  writeFileSync(join(base, 'run-operator.py'), OPERATOR);
  const run = `python ${join(base, 'run-operator.py')} ${join(base, 'dag.py')}`;
  // Another machine than the reader's: a service that runs there already would not see these volumes.
  const home = `HOME=${join(base, 'airflow')}`;
  return `${onRoot(base, 'rw', [['models', '/models']])} env ${home} ${run}`;
}

function containerCommand({ args, env, volumeMounts, ...one }: Container, base: string): string {
  const isReadOnly = one.securityContext?.readOnlyRootFilesystem === true;
  const image = parseDockerfile(readFileSync(join(root, 'Dockerfile'), 'utf8')).at(-1);
  const ofImage = (image?.steps ?? [])
    .filter(({ keyword }) => keyword === 'ENV')
    .flatMap(({ text }) => pairsOf(text.trim()));
  const ofPod = env.map(({ name, value }): [string, string] => [name, value ?? SECRET]);
  const words = [...ofImage, ...ofPod].map(([name, value]) => quoted(`${name}=${value}`));
  const mounts = volumeMounts.map(({ name, mountPath }): [string, string] => [name, mountPath]);
  // The authority of the cluster's own servers, which its images know.
  const clean = 'env -i PATH="$PATH" SSL_CERT_FILE="$SSL_CERT_FILE"';
  const run = `${clean} ${words.join(' ')} waybill ${args.map(quoted).join(' ')}`;
  return `${onRoot(base, isReadOnly ? 'ro' : 'rw', mounts)} ${run}`;
}

/** A root with the programs of this machine, whose changes are lost, and volumes that are kept. */
const ROOT = `#!/bin/sh
set -eu
base=$1 mode=$2; shift 2
here=$(mktemp -d "$base/root-XXXXXX")
mount -t tmpfs tmpfs "$here"
mkdir "$here/up" "$here/work" "$here/all"
mount -t overlay overlay -o "lowerdir=/,upperdir=$here/up,workdir=$here/work" "$here/all"
for path in /dev /etc/hosts "$PROJECT" "$PROGRAMS"; do
  if [ -d "$path" ]; then mkdir -p "$here/all$path"; fi
  mount --rbind "$path" "$here/all$path"
done
mkdir -p "$here/all$base"
mount --bind "$base" "$here/all$base"
while [ "$1" != -- ]; do
  mkdir -p "$base/volume-$1" "$here/all$2"
  mount --bind "$base/volume-$1" "$here/all$2"
  shift 2
done
shift
if [ "$mode" = ro ]; then mount -o remount,bind,ro "$here/all"; fi
mount -t proc proc "$here/all/proc"
exec chroot "$here/all" "$@"
`;

function onRoot(base: string, mode: 'ro' | 'rw', mounts: readonly [string, string][]): string {
  const script = join(base, 'root.sh');
  writeFileSync(script, ROOT);
  const volumes = mounts.map(([name, path]) => `${quoted(name)} ${quoted(path)}`).join(' ');
  const programs = 'PROGRAMS="$(dirname "$(dirname "$(command -v waybill)")")"';
  const before = `env PROJECT=${quoted(root)} ${programs} unshare --mount --pid --fork --kill-child`;
  return `${before} sh ${script} ${quoted(base)} ${mode} ${volumes} --`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
