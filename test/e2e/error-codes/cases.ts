/** For every code of the error table a command that ends with it. A code without one does not compile. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ErrorCode } from '../../../src/model/errors.js';
import { sendAll, serveFile, type CutScript } from '../../helpers/cut-server.js';
import type { RunningWaybill, RunOptions } from '../../helpers/waybill.js';
import type { World } from './world.js';

export interface Case {
  /** The command without `--json`; `to` is a path that no other command uses. */
  readonly args: (world: World, to: string) => readonly string[];
  /** The first cause, as the command tells it. */
  readonly says: RegExp;
  /** What to do next, where it is not what the table says. */
  readonly next?: RegExp;
  readonly options?: (world: World) => RunOptions;
  /** Before the command. */
  readonly prepare?: (world: World, to: string) => Promise<void> | void;
  /** While it runs. */
  readonly meanwhile?: (world: World, running: RunningWaybill, to: string) => Promise<void>;
}

const SOON = ['--give-up-after', '3s'];
const ZEROS = '0'.repeat(64);
/** Of no byte. */
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

const pullOf =
  (source: (world: World) => string, ...more: readonly string[]) =>
  (world: World, to: string): readonly string[] => ['pull', source(world), to, ...more];

const served = (script: CutScript, ...more: readonly string[]): Case['args'] =>
  pullOf(({ serve }) => serve(script), ...more);

const ofTree = (...more: readonly string[]): Case['args'] => pullOf(({ tree }) => tree, ...more);

/** The pull has begun, and says so before anything else. */
const begun = (running: RunningWaybill): Promise<void> =>
  running.untilOutput(/"type":"started"| -> /u);

const withoutUser = (address: string): string => address.replace(/\/\/[^/]*@/u, '//');

const slowly = pullOf(({ slow }) => slow.uri('sweep'));

async function pulled({ bed, tree }: World, to: string): Promise<void> {
  await bed.run(['pull', tree, to, '-q']);
}

export const CASES: Readonly<Record<ErrorCode, Case>> = {
  WB_UNEXPECTED: {
    args: () => ['stores'],
    options: ({ broken }) => ({ main: broken }),
    says: /planted/u,
  },
  WB_USAGE: { args: ofTree('--max-bytes', 'lots'), says: /"lots"/u, next: /--max-bytes.*200MiB/u },
  WB_CONFIG_INVALID: {
    args: ofTree(),
    options: () => ({ env: { WAYBILL_CONCURRENCY: 'lots' } }),
    says: /WAYBILL_CONCURRENCY: "lots"/u,
  },
  WB_UNSUPPORTED: { args: (_world, to) => ['pull', 'ftpx://host/x', to], says: /ftpx/u },
  WB_PARTIAL: {
    args: (world, to) => {
      const wrong = [ZEROS, sendAll('wrong')] as const;
      const good = [EMPTY, sendAll('')] as const;
      return ['pull', world.serveList({ 'wrong.bin': wrong, 'good.bin': good }), to];
    },
    says: /0{64}.*wrong\.bin/u,
    next: /Run the same command again; if it stays.*\n.*go on with: waybill pull/u,
  },
  WB_NOT_FOUND: { args: (_world, to) => ['pull', '/nosuch/tree', to], says: /\/nosuch\/tree/u },
  WB_NOTHING_MATCHES: { args: ofTree('--include', 'nosuch'), says: /nosuch|filter|match/u },
  WB_UNAUTHENTICATED: { args: served({ status: 401 }, ...SOON), says: /401|sign-in/u },
  WB_PERMISSION_DENIED: { args: served({ status: 403 }, ...SOON), says: /403/u },
  WB_SIGN_IN_PAGE: {
    args: served(sendAll('<html><form>user</form></html>', { 'Content-Type': 'text/html' })),
    says: /sign-in page/u,
  },
  WB_SIZE_MISMATCH: {
    // It says one size when it is asked, and sends another.
    args: served(({ method }) =>
      method === 'HEAD' ? { headers: { 'Content-Length': '500' } } : sendAll('x'.repeat(1_000)),
    ),
    says: /500.*1000/u,
  },
  WB_DIGEST_MISMATCH: {
    args: served(sendAll('bytes'), '--expect', `sha256:${ZEROS}`),
    says: /0{64}/u,
  },
  WB_VERSION_OVERWRITTEN: {
    args: (_world, to) => ['pull', 'store://p/k', to],
    options: ({ serve }) => {
      // What MLRun wrote down of a version, and what lies at its place by now.
      const target = withoutUser(serve(sendAll('another version')));
      const record = { metadata: { hash: ZEROS.slice(0, 40) }, spec: { target_path: target } };
      const route = '/api/v2/projects/p/artifacts/k';
      const server = withoutUser(serve(sendAll(JSON.stringify(record)), route.slice(1)));
      return { env: { MLRUN_DBPATH: server.slice(0, -route.length) } };
    },
    says: /version overwritten in the store: sha1 0{40} was recorded/u,
  },
  WB_UNPROVEN_LENGTH: {
    args: served({ body: 'bytes', framing: 'close' }),
    says: /end.*cut|cut.*end|length/iu,
    next: /--require none/u,
  },
  WB_LEVEL_TOO_LOW: {
    args: ofTree('--require', 'digest'),
    says: /"size".*"digest"/u,
  },
  WB_MISSING_FILE: {
    prepare: async ({ bed }, to) => {
      mkdirSync(`${to}-sealed`);
      writeFileSync(join(`${to}-sealed`, 'gone.bin'), 'here');
      await bed.run(['seal', `${to}-sealed`]);
      rmSync(join(`${to}-sealed`, 'gone.bin'));
    },
    args: (_world, to) => ['pull', `${to}-sealed`, to],
    says: /gone\.bin/u,
  },
  WB_LOCAL_DAMAGE: {
    prepare: async (world, to) => {
      await pulled(world, to);
      writeFileSync(join(to, 'a.bin'), 'HELLO');
    },
    args: (_world, to) => ['verify', to],
    says: /1 changed|a\.bin/u,
    next: /waybill pull .*--checksum/u,
  },
  WB_NO_SPACE: {
    prepare: ({ bed }) => writeFileSync(join(bed.dir, 'large.bin'), Buffer.alloc(1024 * 1024)),
    args: ({ bed, small }, to) => [
      ...['pull', join(bed.dir, 'large.bin'), join(small.path, to.replaceAll('/', '-')), ...SOON],
    ],
    says: /bytes free|disk is full/u,
  },
  WB_DESTINATION_FAILED: {
    args: ({ tree, failing }, to) => [
      ...['pull', tree, join(failing.path, to.replaceAll('/', '-')), ...SOON],
    ],
    says: /input\/output error \(EIO\)/u,
  },
  WB_SOURCE_CHANGED: {
    args: served((request) =>
      serveFile(Buffer.from('one or two'), { etag: request.method === 'HEAD' ? '"1"' : '"2"' })(
        request,
      ),
    ),
    says: /another version/u,
  },
  WB_CONFLICT: {
    prepare: (_world, to) => {
      mkdirSync(to);
      writeFileSync(join(to, 'a.bin'), 'mine');
    },
    args: ofTree(),
    says: /a\.bin/u,
  },
  WB_DESTINATION_OWNED: {
    prepare: async ({ bed, slow }, to) => {
      await bed.run(['pull', slow.uri('owner'), to, '--detach']);
    },
    args: pullOf(({ slow }) => slow.uri('another')),
    says: /pull/u,
    next: /waybill (pulls|cancel|status|watch)/u,
  },
  WB_TEMPORAL_UNREACHABLE: {
    args: ({ nobody }) => ['pulls', '--cluster', nobody],
    says: /Temporal at 127\.0\.0\.1:\d+/u,
    next: /waybill doctor --cluster 127\.0\.0\.1:\d+/u,
  },
  WB_NO_WORKER: {
    args: ({ serve }, to) => ['pull', serve(sendAll('x')).replace(/\/\/.*@/u, '//'), `lab:${to}`],
    options: ({ temporal }) => ({ env: temporal.env }),
    says: /no worker/u,
    next: /waybill worker --site lab/u,
  },
  WB_DESTINATION_NOT_HERE: {
    prepare: (_world, to) => void mkdirSync(to),
    args: (world, to) => ['pull', world.slow.uri('gone'), `${to}/model.bin`],
    meanwhile: async ({ slow }, _running, to) => {
      await slow.untilHalfWay(`${to}/model.bin`);
      renameSync(to, `${to}-unmounted`);
      mkdirSync(to);
    },
    says: /is not the folder that this pull claimed|is it mounted/u,
    next: /[Mm]ount/u,
  },
  WB_UNSAFE_PATH: {
    args: ({ serveList }, to) => ['pull', serveList({ '../evil': [ZEROS, sendAll('x')] }), to],
    says: /\.\.\/evil/u,
  },
  WB_NAME_COLLISION: {
    args: ({ serveList }, to) => {
      const file = [EMPTY, sendAll('')] as const;
      return ['pull', serveList({ name: file, 'name/below': file }), to];
    },
    says: /name\/below/u,
  },
  WB_RATE_LIMITED: { args: ({ serve }) => ['ls', serve({ status: 429 })], says: /429/u },
  WB_UNAVAILABLE: {
    args: ({ nobody }) => ['ls', `http://${nobody}/x`],
    says: /refuses connections/u,
  },
  WB_TIMEOUT: {
    args: ({ serve }) => ['ls', serve({ neverAnswers: true })],
    options: () => ({ env: { WAYBILL_STALL_TIMEOUT: '500ms' } }),
    says: /500 ms|0\.5 s|answer/u,
  },
  WB_GAVE_UP: {
    args: (world, to) => [...slowly(world, to), '--timeout', '2s'],
    says: /2(\.0)? s/u,
  },
  WB_CANCELLED: {
    args: slowly,
    meanwhile: async ({ bed }, running, to) => {
      await begun(running);
      await bed.run(['cancel', to]);
    },
    says: /cancelled/u,
  },
  WB_LIMIT_EXCEEDED: { args: ofTree('--max-files', '1'), says: /--max-files|\b1\b/u },
  WB_VERSION_SKEW: {
    prepare: async (world, to) => {
      await pulled(world, to);
      const receipt = join(to, '.waybill/receipt.json');
      writeFileSync(receipt, readFileSync(receipt, 'utf8').replace('"v": 1', '"v": 9'));
    },
    args: (_world, to) => ['verify', to],
    says: /format 9/u,
    next: /update Waybill/u,
  },
  WB_STOPPED: {
    args: slowly,
    meanwhile: async (_world, running) => {
      await begun(running);
      running.signal('SIGINT');
    },
    says: /[Kk]ept|[Nn]othing was fetched/u,
    next: /Go on with: waybill pull/u,
  },
};
