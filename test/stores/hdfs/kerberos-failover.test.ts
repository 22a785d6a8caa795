/** Two name nodes that want tickets of Kerberos: what comes when the other one becomes active, and when the ticket ends. */
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { makeAuthority, type Authority } from '../../helpers/certificates.js';
import { startHadoop, type Hadoop } from '../../helpers/hadoop.js';
import { ensureKerberosPackage } from '../../helpers/kerberos-package.js';
import { startKdc, type Kerberos } from '../../helpers/kerberos.js';
import { partsInPlace } from '../../helpers/parts-in-place.js';
import { scratchFolder } from '../../helpers/processes.js';
import { openWaybill, type RunningWaybill, type WaybillBed } from '../../helpers/waybill.js';
import { endedTicket } from './ended-ticket.js';
import { layOutGlobally } from './installed.js';

const LONG_MS = 240_000;
const FILES = 8;
const BODY = Buffer.from(Array.from({ length: 2 * 1024 * 1024 + 7 }, (_, at) => (at * 7919) % 251));
/** One file after the other. */
const SLOWLY = ['--max-bandwidth', '1MiB/s', '--concurrency', '1'];

let folder: string;
let kerberos: Kerberos;
let ada: string;
let authority: Authority;
let hadoop: Hadoop;
let bed: WaybillBed;
let main: string;

beforeAll(async () => {
  folder = scratchFolder('hdfs-kerberos-ha');
  const module = await ensureKerberosPackage((line) => process.stderr.write(`${line}\n`));
  kerberos = await startKdc();
  ada = await kerberos.kinit('ada');
  authority = makeAuthority(folder);
  const tls = authority.issue('server');
  // What has shown a ticket is believed for so many seconds, and not for ten hours.
  const conf = { 'hadoop.http.authentication.token.validity': '3' };
  hadoop = await startHadoop({ nameService: 'models', kerberos, tls, dataNodes: 2, conf });
  const tree = join(folder, 'night');
  mkdirSync(tree);
  for (let file = 0; file < FILES; file += 1) writeFileSync(join(tree, `part-${file}`), BODY);
  await hadoop.putTree('/night', tree);
  main = layOutGlobally(join(folder, 'prefix'), module);
  bed = openWaybill(join(folder, 'waybill'));
}, LONG_MS);

afterAll(async () => {
  await bed.close();
  await hadoop.stop();
  await kerberos.stop();
  rmSync(folder, { recursive: true, force: true });
}, LONG_MS);

/** A pull of the tree with the tickets of a cache. */
function pull(to: string, cache: string): { readonly running: RunningWaybill; isOver: boolean } {
  const env = {
    HADOOP_CONF_DIR: hadoop.userConf({ hdfsSite: { 'dfs.http.policy': 'HTTPS_ONLY' } }),
    REQUESTS_CA_BUNDLE: authority.certFile,
    KRB5_CONFIG: kerberos.confFile,
    KRB5CCNAME: cache,
  };
  const running = bed.start(['pull', 'hdfs://models/night', to, ...SLOWLY], { main, env });
  const pulling = { running, isOver: false };
  void running.done.finally(() => (pulling.isOver = true)).catch(() => undefined);
  return pulling;
}

async function until(
  pulling: ReturnType<typeof pull>,
  isSo: () => boolean | Promise<boolean>,
): Promise<void> {
  while (!(await isSo())) {
    if (pulling.isOver) throw new Error(`it ended before that:\n${pulling.running.stderr()}`);
    await sleep(50);
  }
}

async function expectWhole(to: string, { running }: ReturnType<typeof pull>): Promise<void> {
  await bed.run(['tune', to, '--max-bandwidth', 'never'], { main });
  const { exitCode, stderr } = await running.done;
  expect({ exitCode, said: exitCode === 0 ? '' : stderr }).toEqual({ exitCode: 0, said: '' });
  for (let file = 0; file < FILES; file += 1) {
    expect(readFileSync(join(to, `part-${file}`)).equals(BODY)).toBe(true);
  }
  const receipt = readFileSync(join(to, '.waybill', 'receipt.json'), 'utf8');
  expect(JSON.parse(receipt)).toMatchObject({ levels: { provider: FILES } });
}

async function failOver(from: number, to: number): Promise<void> {
  await hadoop.setStandby(from);
  await hadoop.setActive(to);
}

it(
  'goes on at the other name node, which wants a ticket too, with all of it proven',
  async () => {
    const to = join(bed.dir, 'failed-over');
    const pulling = pull(to, ada);
    await until(pulling, () => partsInPlace(to) >= 1);
    await failOver(0, 1);
    expect(partsInPlace(to)).toBeLessThan(FILES);
    await expectWhole(to, pulling);
    await failOver(1, 0);
  },
  LONG_MS,
);

it(
  'is blocked when its ticket has ended, and goes on after kinit',
  async () => {
    const [to, cache] = [join(bed.dir, 'ended'), join(folder, 'cache-of-ada')];
    copyFileSync(ada, cache);
    const pulling = pull(to, cache);
    await until(pulling, () => partsInPlace(to) >= 1);
    copyFileSync(await endedTicket(kerberos), cache);
    await failOver(0, 1);
    await until(pulling, async () => {
      const { stdout } = await bed.run(['status', to, '--json'], { main });
      return /"blocked"/u.test(stdout) && /kinit/u.test(stdout);
    });
    expect(partsInPlace(to)).toBeLessThan(FILES);
    copyFileSync(ada, cache);
    await bed.run(['retry', to], { main });
    await expectWhole(to, pulling);
  },
  LONG_MS,
);
